"""The coordinator as a process before a real API server: real tokens, real TLS, the chart's own rights."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.support.apiserver import ApiServer
from tests.support.coordinator import Coordinator, Trained, install_rights, make_pod, report, token
from tests.support.processes import Child

pytestmark = pytest.mark.contract
LABELS = {"app.kubernetes.io/managed-by": "trainyard", "trainyard.dev/attempt": "1"}


@pytest.fixture(scope="module")
def rights(apiserver: ApiServer) -> str:
    return install_rights(apiserver)


@pytest.fixture(scope="module")
def coordinator(
    apiserver: ApiServer, rights: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Coordinator]:
    running = Coordinator.start(apiserver, tmp_path_factory.mktemp("coordinator"), rights)
    yield running
    running.child.stop()


@pytest.fixture
def trained(apiserver: ApiServer, namespace: str) -> Trained:
    return Trained.make(apiserver, namespace, "adult")


def until(what: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not so after {seconds:.0f} s"
        time.sleep(0.05)


def bearer(trained: Trained, attempt: int = 1) -> str:
    return token(trained.server, trained.namespace, pod=trained.pod(attempt))


def test_a_report_becomes_status_and_columns(coordinator: Coordinator, trained: Trained) -> None:
    answer = coordinator.post(bearer(trained), report(3, train_loss=0.4, val_roc_auc=0.98765))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"stop": False, "nextAfterSeconds": 2.0}
    until(trained.progress)
    progress = trained.progress()
    assert {key: progress[key] for key in ("epoch", "epochs", "percent", "etaSeconds", "attempt")} == {
        "epoch": 3,
        "epochs": 50,
        "percent": 6,
        "etaSeconds": 47,
        "attempt": 1,
    }
    assert progress["metrics"] == {"train_loss": 0.4, "val_roc_auc": 0.98765}
    assert (progress["experimentID"], progress["runID"]) == ("1", "run")
    row = trained.server.kubectl("-n", trained.namespace, "get", "tj", "--no-headers").stdout.split()
    assert row[:5] == ["adult", "Running", "3/50", "val_roc_auc=0.9877", "47s"]


def test_only_its_own_part_of_the_status_is_the_coordinators(
    coordinator: Coordinator, trained: Trained
) -> None:
    coordinator.post(bearer(trained), report(1))
    until(trained.progress)
    body = trained.read()
    assert body["status"]["state"] == "Running"
    owners = {entry["manager"]: entry for entry in body["metadata"]["managedFields"]}
    mine = owners["trainyard-coordinator"]
    assert (mine["operation"], mine["subresource"]) == ("Apply", "status")
    assert set(mine["fieldsV1"]) == {"f:status"}
    assert set(mine["fieldsV1"]["f:status"]) == {"f:progress"}
    assert "f:progress" not in owners["trainyard-operator"]["fieldsV1"]["f:status"]


def test_few_writes_and_the_last_value_at_once(coordinator: Coordinator, trained: Trained) -> None:
    who = bearer(trained)
    coordinator.post(who, report(1))
    until(lambda: trained.progress().get("epoch") == 1)
    version = trained.read()["metadata"]["resourceVersion"]
    for epoch in range(2, 40):
        assert coordinator.post(who, report(epoch)).status_code == 200
    time.sleep(0.3)
    assert trained.read()["metadata"]["resourceVersion"] == version, "a second write came too early"
    coordinator.post(who, report(50))
    until(lambda: trained.progress().get("epoch") == 50, seconds=3)


@pytest.mark.parametrize("audience", ["https://kubernetes.default.svc.cluster.local", "someone-else"])
def test_a_token_for_someone_else_is_refused(
    coordinator: Coordinator, trained: Trained, audience: str
) -> None:
    stolen = token(trained.server, trained.namespace, audience=audience, pod=trained.pod())
    answer = coordinator.post(stolen, report())
    assert answer.status_code == 401
    assert answer.json()["reason"] == "bad-token"
    assert "read the projected token" in answer.json()["message"]
    assert not trained.progress()


def test_a_token_that_no_pod_carries_is_refused(coordinator: Coordinator, trained: Trained) -> None:
    trained.pod()
    for text in (token(trained.server, trained.namespace), "garbage", "a.b.c", ""):
        assert coordinator.post(text, report()).status_code == 401
    assert coordinator.post(None, report()).json()["reason"] == "no-token"
    assert not trained.progress()


def test_a_pod_speaks_for_its_own_trainingjob_alone(
    coordinator: Coordinator, trained: Trained, apiserver: ApiServer
) -> None:
    other = Trained.make(apiserver, trained.namespace, "other")
    assert coordinator.post(bearer(other), report(7)).status_code == 200
    until(other.progress)
    assert not trained.progress()


def test_a_pod_of_no_job_of_ours_is_refused(
    coordinator: Coordinator, trained: Trained, apiserver: ApiServer, namespace: str
) -> None:
    """A name or a label is not enough: the chain of uids must hold."""
    real = trained.pod()
    job = apiserver.request("GET", f"/apis/batch/v1/namespaces/{namespace}/jobs/adult-tj-a1")
    elsewhere = apiserver.create_namespace(f"{namespace}-other")
    forged = {**job, "metadata": {**job["metadata"], "uid": "11111111-1111-1111-1111-111111111111"}}
    pods = [
        make_pod(apiserver, namespace, "lonely", LABELS),
        make_pod(apiserver, namespace, "unlabelled", {}, job),
        make_pod(apiserver, namespace, "forged", LABELS, forged),
        make_pod(apiserver, elsewhere, "adult-tj-a1-x7k2p", LABELS, job),
    ]
    for pod in pods:
        meta = pod["metadata"]
        answer = coordinator.post(token(apiserver, meta["namespace"], pod=pod), report())
        assert answer.status_code == 403, meta["name"]
        assert answer.json()["reason"] == "not-owned"
    assert not trained.progress()
    assert coordinator.post(token(apiserver, namespace, pod=real), report()).status_code == 200


def test_a_token_outlives_its_pod_in_vain(
    coordinator: Coordinator, trained: Trained, apiserver: ApiServer, namespace: str
) -> None:
    pod = trained.pod()
    who = token(apiserver, namespace, pod=pod)
    assert coordinator.post(who, report(1)).status_code == 200
    path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}"
    apiserver.request("DELETE", path, gracePeriodSeconds="0")
    until(lambda: coordinator.post(who, report(2)).status_code == 403)


def test_a_replaced_attempt_is_told_to_stop(coordinator: Coordinator, trained: Trained) -> None:
    who = bearer(trained)
    assert coordinator.post(who, report(1, attempt=2)).status_code == 409, "not this pod's attempt"
    assert coordinator.post(who, report(1)).status_code == 200
    trained.set_status(state="Restarting", attempt=2)
    until(lambda: coordinator.post(who, report(2)).status_code == 409)
    answer = coordinator.post(who, report(2)).json()
    assert answer["reason"] == "stale-attempt"
    assert "save a checkpoint and stop" in answer["message"]
    newer = bearer(trained, 2)
    assert coordinator.post(newer, report(1, attempt=2)).status_code == 200


@pytest.mark.parametrize("state", ["Succeeded", "Failed"])
def test_nothing_is_written_after_the_end(coordinator: Coordinator, trained: Trained, state: str) -> None:
    who = bearer(trained)
    coordinator.post(who, report(1))
    until(trained.progress)
    trained.set_status(state=state, attempt=1)
    until(lambda: coordinator.post(who, report(50)).json()["stop"])
    time.sleep(0.3)
    assert trained.progress()["epoch"] == 1


def test_a_deleted_trainingjob_stops_its_pod(coordinator: Coordinator, trained: Trained) -> None:
    who = bearer(trained)
    coordinator.post(who, report(1))
    trained.server.request("DELETE", trained.path)
    until(lambda: coordinator.post(who, report(2)).json()["stop"])


@pytest.mark.parametrize(
    ("raw", "status", "named"),
    [
        (b"", 422, "body"),
        (b"[]", 422, "body"),
        (b'{"attempt": 1, "epoch": -1, "epochs": 5, "percent": 0}', 422, "epoch"),
        (b'{"attempt": 1, "epoch": 1, "epochs": 5, "percent": 0, "metrics": {"a b": 1}}', 422, "metrics"),
        (b'{"attempt": 1, "epoch": 1, "epochs": 5, "percent": 0, "metrics": {"a": NaN}}', 422, "metrics"),
        (b" " * 70_000, 413, "larger than"),
    ],
)
def test_a_body_that_cannot_be_used_is_named(
    coordinator: Coordinator, trained: Trained, raw: bytes, status: int, named: str
) -> None:
    answer = coordinator.post(bearer(trained), raw=raw)
    assert answer.status_code == status, answer.text
    assert named in answer.json()["message"]


def test_a_client_that_trusts_others_does_not_connect(coordinator: Coordinator) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://localhost:{coordinator.port}/", timeout=5)


def test_what_it_did_is_counted(coordinator: Coordinator, trained: Trained) -> None:
    reports = 'trainyard_coordinator_reports_total{kind="progress"}'
    wrong = 'trainyard_coordinator_rejected_total{reason="token-audience"}'
    before = coordinator.metric(reports), coordinator.metric(wrong)
    pod = trained.pod()
    coordinator.post(token(trained.server, trained.namespace, pod=pod), report(1))
    coordinator.post(token(trained.server, trained.namespace, audience="x", pod=pod), report(1))
    assert (coordinator.metric(reports), coordinator.metric(wrong)) == (before[0] + 1, before[1] + 1)
    until(lambda: coordinator.metric('trainyard_coordinator_status_writes_total{outcome="ok"}') > 0)
    assert coordinator.metric("trainyard_coordinator_token_verify_seconds_count") > 0


def test_it_keeps_its_authority_and_writes_out_what_waits(
    apiserver: ApiServer, rights: str, trained: Trained, tmp_path: Path
) -> None:
    """SIGTERM with values that wait: written, unless the object has ended. A second life has the same CA."""
    ended = Trained.make(apiserver, trained.namespace, "ended")
    first = Coordinator.start(apiserver, tmp_path, rights)
    try:
        who, other = bearer(trained), bearer(ended)
        for epoch in (1, 2, 3):
            assert first.post(who, report(epoch)).status_code == 200
            assert first.post(other, report(epoch)).status_code == 200
        until(lambda: ended.progress().get("epoch") == 1 == trained.progress().get("epoch"))
        ended.set_status(state="Succeeded", attempt=1)
        authority = first.bundle.read_text()
    finally:
        first.child.stop(sig=signal.SIGTERM, wait_s=20)
    assert first.child.process.returncode == 0, first.child.tail()
    assert trained.progress()["epoch"] == 3
    assert ended.progress()["epoch"] == 1
    second = Coordinator.start(apiserver, tmp_path, rights)
    try:
        assert second.bundle.read_text() == authority
        assert second.post(who, report(4)).status_code == 200
    finally:
        second.child.stop()


def test_it_outlives_the_api_server(coordinator: Coordinator, apiserver: ApiServer, namespace: str) -> None:
    """Known pods are answered while the API server is away; what waits is written when it is back."""
    trained = Trained.make(apiserver, namespace, "adult")
    who = bearer(trained)
    coordinator.post(who, report(1))
    until(lambda: trained.progress().get("epoch") == 1)
    apiserver.stop_apiserver()
    try:
        for epoch in (2, 49):
            answer = requests.post(
                f"https://localhost:{coordinator.port}/v1/progress",
                json=report(epoch),
                headers={"Authorization": f"Bearer {who}"},
                verify=str(coordinator.bundle),
                timeout=20,
            )
            assert answer.status_code == 200, answer.text
    finally:
        apiserver.start_apiserver()
    until(lambda: trained.progress().get("epoch") == 49, seconds=30)
    later = Trained.make(apiserver, namespace, "later")
    assert coordinator.post(bearer(later), report(5)).status_code == 200
    until(later.progress)


def test_a_namespaced_install_needs_no_cluster_wide_right(
    apiserver: ApiServer, namespace: str, tmp_path: Path
) -> None:
    """Roles in the watched namespace are enough, the API server's keys included; others are not heard."""
    narrow = install_rights(apiserver, f"watchNamespaces={{{namespace}}}", release="narrow-trainyard")
    running = Coordinator.start(
        apiserver, tmp_path, narrow, namespaces=namespace, configmap="narrow-trainyard-coordinator-ca"
    )
    try:
        here = Trained.make(apiserver, namespace, "adult")
        assert running.post(bearer(here), report(3)).status_code == 200
        until(here.progress)
        elsewhere = Trained.make(apiserver, apiserver.create_namespace(f"{namespace}-other"), "adult")
        assert running.post(bearer(elsewhere), report(3)).status_code == 403
    finally:
        running.child.stop()


def test_what_it_cannot_use_is_said_at_the_start(tmp_path: Path) -> None:
    import sys

    child = Child.start(
        "coordinator",
        [sys.executable, "-m", "trainyard", "coordinator"],
        log=tmp_path / "log",
        env={"TRAINYARD_HTTP_PORT": "http"},
    )
    assert child.process.wait(30) == 2
    assert child.tail() == "TRAINYARD_HTTP_PORT='http' cannot be used: expected a port number from 1 to 65535"


def test_kubeflow_trainers_report_is_understood(coordinator: Coordinator, trained: Trained) -> None:
    mine = bearer(trained)
    path = f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/{trained.namespace}/trainjobs/{{}}/status"
    said = {
        "progressPercentage": 45,
        "estimatedRemainingSeconds": 795,
        "metrics": [
            {"name": "eval/accuracy", "value": "0.875"},
            {"name": "loss", "value": "nan"},
            {"name": "1st", "value": "1"},
        ],
        "lastUpdatedTime": "2026-01-02T03:04:05Z",
    }
    answer = coordinator.post(mine, {"trainerStatus": said}, path=path.format("adult"))
    assert answer.status_code == 200, answer.text
    until(trained.progress)
    progress = trained.progress()
    assert (progress["percent"], progress["etaSeconds"], progress["metrics"]) == (
        45,
        795,
        {"eval_accuracy": 0.875},
    )
    row = trained.server.kubectl("-n", trained.namespace, "get", "tj", "--no-headers").stdout.split()
    assert row[:5] == ["adult", "Running", "45%", "eval_accuracy=0.875", "13m15s"]
    other = coordinator.post(mine, {"trainerStatus": said}, path=path.format("another"))
    assert (other.status_code, other.json()["reason"]) == (403, "not-owned")
    wrong = coordinator.post(mine, {"trainerStatus": {"progressPercentage": 101}}, path=path.format("adult"))
    assert wrong.status_code == 422
