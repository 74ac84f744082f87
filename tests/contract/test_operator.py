"""The operator as a process against a real API server and controller manager; a hand plays kubelet."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apiserver import APPLY, MERGE, ApiServer
from tests.support.coordinator import narrow_kubeconfig
from tests.support.operator_process import (
    RESULT,
    TRAINER_IMAGE,
    TRAINING_JOBS,
    Bench,
    Body,
    OperatorProcess,
    SharedOperator,
    eventually,
    running_operator,
    shared_operator,
)

pytestmark = pytest.mark.contract
ROOT = Path(__file__).resolve().parents[2]

SHARING = 12
"""Tests whose jobs one operator looks after, each in a namespace of its own."""


@pytest.fixture(scope="module")
def crew(controllers: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedOperator]:
    folder = tmp_path_factory.mktemp("operator")
    with shared_operator(controllers, "operator", SHARING, folder) as operator:
        yield operator


@pytest.fixture
def bench(controllers: ApiServer, crew: SharedOperator) -> Bench:
    return Bench(controllers, crew.unused.pop())


@pytest.fixture
def alone(controllers: ApiServer, namespace: str) -> Bench:
    return Bench(controllers, namespace)


@pytest.fixture
def operator(alone: Bench, tmp_path: Path) -> Iterator[OperatorProcess]:
    with running_operator(alone.server, alone.namespace, tmp_path) as process:
        yield process


def test_job_succeeds_within_its_budget_of_requests(alone: Bench, operator: OperatorProcess) -> None:
    before = operator.requests()
    alone.apply("adult")
    eventually(lambda: alone.names("jobs") == ["adult-tj-a1"])
    assert "adult-tj-a1" in alone.names("configmaps")
    alone.until("adult", "Starting", "JobCreated")
    alone.pod_runs("adult-tj-a1")
    running = alone.until("adult", "Running", "Training")
    assert running["attempt"] == 1
    alone.pod_ends("adult-tj-a1", 0, RESULT)
    done = alone.until("adult", "Succeeded", "Completed")
    assert done["mlflow"] == {
        "experimentID": "1",
        "runID": "0af1",
        "modelURI": "models:/m-1",
        "modelSHA256": "a" * 64,
    }
    assert done["metrics"] == RESULT["metrics"]
    assert done["data"] == RESULT["data"]
    assert {c["type"]: c["status"] for c in done["conditions"]} == {
        "Running": "False",
        "Started": "True",
        "Succeeded": "True",
    }
    assert done["observedGeneration"] == 1
    time.sleep(2.5)
    spent = {k: v - before.get(k, 0) for k, v in operator.requests().items()}
    reads = sum(v for (verb, _, _), v in spent.items() if verb in {"get", "list"})
    writes = sum(v for (verb, _, _), v in spent.items() if verb not in {"get", "list"})
    assert reads <= 12, spent
    assert writes <= 8, spent
    reasons = [e["reason"] for e in alone.items("events") if e["involvedObject"]["kind"] == "TrainingJob"]
    assert sorted(reasons) == ["Completed", "JobCreated"]


def test_pod_is_what_the_contract_promises(bench: Bench) -> None:
    job = bench.apply("contract")
    pod = eventually(lambda: bench.pod("contract-tj-a1"))
    assert pod is not None
    container = pod["spec"]["containers"][0]
    assert container["image"] == TRAINER_IMAGE
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    config_map = next(c for c in bench.items("configmaps") if c["metadata"]["name"] == "contract-tj-a1")
    assert config_map["immutable"] is True
    spec = json.loads(config_map["data"]["spec.json"])
    assert spec["uid"] == job["metadata"]["uid"]
    assert spec["attempt"] == 1
    assert spec["spec"] == job["spec"]
    assert spec["tracking"] == {
        "uri": "http://mlflow.example:5000",
        "experiment": f"{bench.namespace}/contract",
    }


def test_bad_data_fails_once_and_for_good(bench: Bench) -> None:
    bench.apply("bad")
    bench.pod_ends(
        "bad-tj-a1",
        65,
        {
            "formatVersion": 1,
            "exitCode": 65,
            "cause": "DataError",
            "message": "column 'x' is missing",
            "remedy": "Add it.",
        },
    )
    failed = bench.until("bad", "Failed", "DataError")
    assert failed["lastFailure"]["exitCode"] == 65
    assert failed["lastFailure"]["message"] == "column 'x' is missing"
    assert failed["lastFailure"]["remedy"] == "Add it."
    time.sleep(1.0)
    assert bench.names("jobs") == ["bad-tj-a1"]


def test_dependency_down_is_waited_for(bench: Bench) -> None:
    bench.apply("waiting")
    bench.pod_ends("waiting-tj-a1", 69, "MLflow does not answer")
    down = bench.until("waiting", "Starting", "DependencyDown")
    assert down["attempt"] == 2
    assert down["lastFailure"]["logTail"] == "MLflow does not answer"
    bench.pod_ends("waiting-tj-a2", 0, RESULT)
    assert bench.until("waiting", "Succeeded")["restarts"] == 1


def test_killed_pod_is_restarted(bench: Bench) -> None:
    bench.apply("killed")
    bench.pod_runs("killed-tj-a1")
    bench.until("killed", "Running")
    bench.pod_ends("killed-tj-a1", 137)
    restarting = bench.until("killed", "Restarting", "Killed")
    assert restarting["retry"]["unknown"] == 1
    eventually(lambda: "killed-tj-a2" in bench.names("jobs"), within=20)
    bench.pod_runs("killed-tj-a2")
    assert bench.until("killed", "Running")["restarts"] == 1


def test_suspend_and_resume(bench: Bench) -> None:
    bench.apply("pausing")
    bench.pod_runs("pausing-tj-a1")
    bench.until("pausing", "Running")
    bench.patch("pausing", {"spec": {"runPolicy": {"suspend": True}}})
    bench.until("pausing", "Suspended")
    eventually(lambda: bench.names("jobs") == [])
    pod = bench.pod("pausing-tj-a1")
    if pod is not None:
        name = pod["metadata"]["name"]
        bench.server.request(
            "DELETE", f"/api/v1/namespaces/{bench.namespace}/pods/{name}", {"gracePeriodSeconds": 0}
        )
    bench.patch("pausing", {"spec": {"runPolicy": {"suspend": False}}})
    eventually(lambda: bench.names("jobs") == ["pausing-tj-a2"])
    assert bench.status("pausing")["restarts"] == 0


def test_operator_death_duplicates_nothing(alone: Bench, tmp_path: Path) -> None:
    first = OperatorProcess.start(alone.server, alone.namespace, tmp_path / "first.log")
    for number in range(5):
        alone.apply(f"job-{number}")
    eventually(lambda: len(alone.names("jobs")) >= 1)
    first.kill()
    with running_operator(alone.server, alone.namespace, tmp_path):
        expected = [f"job-{number}-tj-a1" for number in range(5)]
        eventually(lambda: alone.names("jobs") == expected)
        eventually(lambda: len(alone.items("pods")) == 5)
        time.sleep(1.0)
        assert alone.names("jobs") == expected
        assert all(alone.status(f"job-{n}")["attempt"] == 1 for n in range(5))


def test_deleted_object_takes_its_children_along(bench: Bench) -> None:
    bench.apply("short")
    eventually(lambda: bench.names("jobs") == ["short-tj-a1"])
    bench.server.request("DELETE", f"{TRAINING_JOBS.format(bench.namespace)}/short")
    eventually(lambda: bench.gone("short"))
    eventually(lambda: not bench.names("jobs"))
    eventually(lambda: "short-tj-a1" not in bench.names("configmaps"))


def test_foreign_job_is_never_touched(bench: Bench) -> None:
    foreign = {
        "metadata": {"name": "taken-tj-a1"},
        "spec": {
            "suspend": True,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}},
        },
    }
    path = f"/apis/batch/v1/namespaces/{bench.namespace}/jobs"
    bench.server.request("POST", path, foreign)
    # Kubernetes' own controller writes the Job's status once; after that nobody should.
    before = eventually(lambda: _with_conditions(bench.server.request("GET", f"{path}/taken-tj-a1")))
    bench.apply("taken")
    status = bench.until("taken", "Pending", "NameConflict")
    assert "taken-tj-a1" in status["message"]
    assert {"type": "NameConflict", "status": "True"}.items() <= status["conditions"][0].items()
    now = bench.server.request("GET", f"{path}/taken-tj-a1")
    assert now["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def _with_conditions(job: Body) -> Body | None:
    return job if job.get("status", {}).get("conditions") else None


def test_wrong_pod_is_an_invalid_spec(bench: Bench) -> None:
    bench.apply("greedy", compute={"resources": {"requests": {"cpu": "4"}, "limits": {"cpu": "1"}}})
    status = bench.until("greedy", "Failed", "InvalidSpec")
    assert "cpu" in status["message"]
    assert bench.names("jobs") == []


def test_finished_object_is_deleted_after_its_time(bench: Bench) -> None:
    bench.apply("brief", runPolicy={"ttlSecondsAfterFinished": 1})
    bench.pod_ends("brief-tj-a1", 0, RESULT)
    eventually(lambda: bench.gone("brief"))


def test_quota_is_told_and_outlived(bench: Bench) -> None:
    path = f"/api/v1/namespaces/{bench.namespace}/resourcequotas"
    bench.server.request("POST", path, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    eventually(lambda: bench.server.request("GET", f"{path}/none").get("status", {}).get("hard"))
    bench.apply("waits")
    status = bench.until("waits", "Pending", "QuotaExceeded", within=25)
    assert "quota" in status["message"]


def test_operator_stops_when_told_and_says_how_it_is(alone: Bench, operator: OperatorProcess) -> None:
    assert operator.fetch("/healthz")[0] == 200
    alone.apply("measured")
    eventually(lambda: alone.names("jobs") == ["measured-tj-a1"])
    text = operator.fetch("/metrics")[1]
    assert 'trainyard_reconcile_seconds_count{kind="TrainingJob",outcome="ok"}' in text
    assert 'trainyard_jobs{cause="",state="Starting"} 1.0' in text
    assert "measured" not in text
    operator.child.process.send_signal(signal.SIGTERM)
    assert operator.child.process.wait(timeout=30) == 0
    for line in operator.child.log.read_text().splitlines():
        assert {"time", "level", "message"} <= set(json.loads(line))


def test_coordinators_part_of_the_status_is_left_alone(bench: Bench) -> None:
    bench.apply("shared")
    bench.pod_runs("shared-tj-a1")
    bench.until("shared", "Running")
    progress = {"attempt": 1, "epoch": 3, "epochs": 50, "metrics": {"val_roc_auc": 0.5}}
    body = {
        "apiVersion": "trainyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "shared"},
        "status": {"progress": progress},
    }
    path = f"{TRAINING_JOBS.format(bench.namespace)}/shared/status"
    manager = {"fieldManager": "trainyard-coordinator", "force": "true"}
    bench.server.request("PATCH", path, body, content_type=APPLY, **manager)
    bench.pod_ends("shared-tj-a1", 0, RESULT)
    assert bench.until("shared", "Succeeded")["progress"] == progress


def test_labels_and_owner_of_a_job_are_repaired(bench: Bench) -> None:
    uid = bench.apply("tampered")["metadata"]["uid"]
    bench.pod_runs("tampered-tj-a1")
    bench.until("tampered", "Running")
    path = f"/apis/batch/v1/namespaces/{bench.namespace}/jobs/tampered-tj-a1"
    bench.server.request(
        "PATCH", path, {"metadata": {"labels": {"trainyard.dev/attempt": "7"}}}, content_type=MERGE
    )

    def repaired() -> bool:
        meta = bench.server.request("GET", path)["metadata"]
        return bool(
            meta["labels"]["trainyard.dev/attempt"] == "1" and meta["ownerReferences"][0]["uid"] == uid
        )

    eventually(repaired)


def test_a_burst_is_started_by_a_single_worker_each(alone: Bench, operator: OperatorProcess) -> None:
    for number in range(20):
        alone.apply(f"burst-{number}")
    expected = sorted(f"burst-{number}-tj-a1" for number in range(20))
    eventually(lambda: alone.names("jobs") == expected)
    time.sleep(1.0)
    created = {
        k: v for k, v in operator.requests().items() if k[0] == "create" and k[1] in {"jobs", "configmaps"}
    }
    assert created == {("create", "jobs", "201"): 20, ("create", "configmaps", "201"): 20}


def test_chart_grants_a_namespaced_operator_all_it_needs(alone: Bench, tmp_path: Path) -> None:
    narrow = narrow_kubeconfig(alone.server, alone.namespace, "narrow-operator", tmp_path)
    with running_operator(alone.server, alone.namespace, tmp_path, {"KUBECONFIG": str(narrow)}) as operator:
        alone.apply("narrow", runPolicy={"ttlSecondsAfterFinished": 1})
        alone.pod_runs("narrow-tj-a1")
        alone.until("narrow", "Running")
        alone.pod_ends("narrow-tj-a1", 137)
        alone.until("narrow", "Restarting")
        alone.patch("narrow", {"spec": {"runPolicy": {"suspend": True}}})
        alone.until("narrow", "Suspended")
        alone.patch("narrow", {"spec": {"runPolicy": {"suspend": False}}})
        eventually(lambda: alone.names("jobs") and alone.names("jobs")[-1] != "narrow-tj-a1")
        alone.pod_ends(alone.names("jobs")[-1], 0, RESULT)
        eventually(lambda: alone.gone("narrow"))
        refused = {k: v for k, v in operator.requests().items() if k[2] in {"401", "403"}}
    # Only the uid of kube-system, which a namespaced install may not read and does without.
    assert set(refused) <= {("get", "namespaces", "403")}


def test_operator_tells_and_outlives_an_api_server_that_hangs_or_dies(tmp_path: Path) -> None:
    env = {"TRAINYARD_WATCH_SILENCE_SECONDS": "2"}
    with ApiServer.start() as server:
        server.install_crds(ROOT / "crds")
        bench = Bench(server, server.create_namespace("outage"))
        with running_operator(server, "outage", tmp_path, env) as operator:
            bench.apply("before")
            eventually(lambda: bench.names("jobs") == ["before-tj-a1"])
            server.freeze()
            told = eventually(lambda: _unready(operator), within=20)
            assert re.match(r"\d of 5 watches are down, /apis?/\S+/namespaces/outage/\w+ for \d+ s: ", told)
            server.freeze(frozen=False)
            eventually(operator.ready, within=40)
            server.stop_apiserver()
            eventually(lambda: _unready(operator), within=20)
            assert operator.fetch("/healthz")[0] == 200
            server.start_apiserver()
            bench.apply("after")
            eventually(lambda: bench.names("jobs") == ["after-tj-a1", "before-tj-a1"], within=30)
            bench.patch("before", {"spec": {"runPolicy": {"suspend": True}}})
            bench.until("before", "Suspended", within=30)
            eventually(operator.ready, within=40)
            assert operator.fetch("/healthz")[0] == 200


def _unready(operator: OperatorProcess) -> str:
    code, text = operator.fetch("/readyz")
    return text if code == 503 else ""
