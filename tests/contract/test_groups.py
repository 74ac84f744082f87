"""Attempts of several pods on a real API server and Job controller; a hand plays scheduler and kubelet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.apiserver import ApiServer
from tests.support.coordinator import narrow_kubeconfig
from tests.support.operator_process import Bench, Body, OperatorProcess, eventually, running_operator
from trainyard.api.names import NAME_MAX
from trainyard.core.policy import NODES_MAX
from trainyard.render.inputs import Attempt, Installation
from trainyard.render.job import attempt_job

pytestmark = pytest.mark.contract
RESULT = {
    "formatVersion": 1,
    "exitCode": 0,
    "experimentID": "1",
    "runID": "0af1",
    "metrics": {"val_auc": 0.9},
}
PEER_LOST = {"formatVersion": 1, "exitCode": 75, "cause": "Temporary", "message": "the others are gone"}


@pytest.fixture(scope="module")
def bench(controllers: ApiServer) -> Bench:
    return Bench(controllers, controllers.create_namespace("groups"))


@pytest.fixture(scope="module", autouse=True)
def operator(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """An operator with nothing but the rights that the chart gives it."""
    folder = tmp_path_factory.mktemp("operator")
    narrow = narrow_kubeconfig(bench.server, bench.namespace, "group-operator", folder)
    with running_operator(bench.server, bench.namespace, folder, {"KUBECONFIG": str(narrow)}) as process:
        yield process
        refused = {k for k in process.requests() if k[2] in {"401", "403"}}
        assert refused <= {("get", "namespaces", "403")}, refused


def test_group_trains_as_one_and_leaves_no_service(bench: Bench, operator: OperatorProcess) -> None:
    before = operator.requests()
    uid = bench.apply("group", compute={"nodes": 4})["metadata"]["uid"]
    (job,) = eventually(lambda: bench.items("jobs"))
    assert (job["spec"]["completionMode"], job["spec"]["completions"]) == ("Indexed", 4)
    for kind in ("services", "networkpolicies", "configmaps"):
        (child,) = [o for o in bench.items(kind) if o["metadata"]["name"] == "group-tj-a1"]
        (owner,) = child["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("TrainingJob", uid, True)
        assert child["metadata"]["labels"]["trainyard.dev/attempt"] == "1"
    for index in range(4):
        pod = eventually(lambda index=index: bench.pod("group-tj-a1", index)) or {}
        assert f"{pod['spec']['hostname']}.{pod['spec']['subdomain']}" == f"group-tj-a1-{index}.group-tj-a1"
        env = {e["name"] for e in pod["spec"]["containers"][0]["env"]}
        assert {"JOB_COMPLETION_INDEX", "MASTER_ADDR", "MASTER_PORT", "TRAINYARD_NODES"} <= env
    for index in (3, 1, 2):
        bench.pod_runs("group-tj-a1", index)
    eventually(lambda: "3 of 4 pods running" in bench.status("group")["message"])
    bench.pod_runs("group-tj-a1", 0)
    assert "4 pods" in bench.until("group", "Running", "Training")["message"]
    for index in (2, 3, 1):
        bench.pod_ends("group-tj-a1", 0, {"formatVersion": 1, "exitCode": 0}, index=index)
    bench.pod_ends("group-tj-a1", 0, RESULT)
    done = bench.until("group", "Succeeded", "Completed")
    assert (done["metrics"], done["mlflow"]["runID"]) == ({"val_auc": 0.9}, "0af1")
    eventually(lambda: not bench.names("services") and not bench.names("networkpolicies"))
    spent = {k: v - before.get(k, 0) for k, v in operator.requests().items()}
    reads = sum(v for (verb, _, _), v in spent.items() if verb in {"get", "list"})
    writes = sum(v for (verb, _, _), v in spent.items() if verb not in {"get", "list"})
    # Of a pod alone 12 and 8; a group makes and removes two objects more, and its pods come one by one.
    assert reads <= 12 + 2 + 2 * 4, spent
    assert writes <= 8 + 4 + 4, spent


def test_cause_is_that_of_the_pod_that_failed_though_a_peer_ended_first(
    bench: Bench,
) -> None:
    bench.apply("blame", compute={"nodes": 2}, runPolicy={"onOOM": {"memoryFactor": 2}})
    for index in (0, 1):
        bench.pod_is_placed("blame-tj-a1", index, f"node-{index}")
        bench.pod_runs("blame-tj-a1", index)
    bench.until("blame", "Running")
    bench.pod_ends("blame-tj-a1", 75, PEER_LOST, index=0)
    # The Job controller ends the Job for what it saw first, and stops the pod that ran out of memory.
    eventually(lambda: _deleting(bench.pod("blame-tj-a1", 1)))
    bench.pod_ends("blame-tj-a1", 137, reason="OOMKilled", index=1)
    status = bench.until("blame", "Restarting", "OOMKilled", within=30)
    failure = status["lastFailure"]
    assert (failure["cause"], failure["node"], failure["exitCode"]) == ("OOMKilled", "node-1", 137)
    assert failure["message"].startswith("Pod index 1: ")
    assert failure["pod"].startswith("blame-tj-a1-1-")
    eventually(lambda: "blame-tj-a2" in bench.names("jobs"), within=30)
    pod = eventually(lambda: bench.pod("blame-tj-a2", 1)) or {}
    assert pod["spec"]["containers"][0]["resources"]["limits"]["memory"] == "8Gi"
    assert bench.names("services") == bench.names("networkpolicies") == ["blame-tj-a2"]


def test_foreign_service_is_never_touched(bench: Bench) -> None:
    path = f"/api/v1/namespaces/{bench.namespace}/services"
    foreign = {"metadata": {"name": "taken-tj-a1"}, "spec": {"clusterIP": "None"}}
    before = bench.server.request("POST", path, foreign)
    bench.apply("taken", compute={"nodes": 2})
    status = bench.until("taken", "Pending", "NameConflict")
    assert "Service taken-tj-a1" in status["message"]
    assert "taken-tj-a1" not in bench.names("jobs")
    bench.patch("taken", {"spec": {"runPolicy": {"suspend": True}}})
    bench.until("taken", "Suspended")
    assert bench.server.request("GET", f"{path}/taken-tj-a1")["metadata"] == before["metadata"]


def test_a_queue_without_kueue_is_told(bench: Bench) -> None:
    bench.apply("queued", compute={"nodes": 2}, runPolicy={"queueName": "team-a"})
    status = bench.until("queued", "Pending", "KueueNotInstalled")
    assert "kueue.x-k8s.io" in status["message"]
    (job,) = [job for job in bench.items("jobs") if job["metadata"]["name"] == "queued-tj-a1"]
    assert job["spec"]["suspend"] is True


def test_kubernetes_takes_the_last_pod_of_the_largest_group_and_nodes_to_avoid(bench: Bench) -> None:
    spec = {"model": {"tabnet": {}}, "compute": {"nodes": NODES_MAX}}
    attempt = Attempt(bench.namespace, "n" * NAME_MAX, "uid", 2**31 - 2, spec, excluded_nodes=("a", "b"))
    body = attempt_job(attempt, Installation("trainer:1", "IfNotPresent", "http://mlflow:5000"))
    path = f"/apis/batch/v1/namespaces/{bench.namespace}/jobs"
    made = bench.server.request("POST", path, body, dryRun="All", fieldValidation="Strict")
    assert made["spec"]["completions"] == NODES_MAX


def _deleting(pod: Body | None) -> bool:
    return pod is not None and "deletionTimestamp" in pod["metadata"]
