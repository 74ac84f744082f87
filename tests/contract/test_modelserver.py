"""From a finished job to a served version: API server, MLflow and operator are real, kubelet is a hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apiserver import MERGE, ApiServer
from tests.support.coordinator import narrow_kubeconfig
from tests.support.operator_process import (
    OperatorProcess,
    SharedOperator,
    eventually,
    running_operator,
    shared_operator,
)
from tests.support.serving_bench import MODEL, ServingBench
from tests.support.tracking import TrackingServer

pytestmark = pytest.mark.contract
SHARING = 8
"""Tests whose servers one operator looks after, each in a namespace of its own."""


@pytest.fixture(scope="module")
def crew(
    controllers: ApiServer, tracking: TrackingServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedOperator]:
    folder, env = tmp_path_factory.mktemp("operator"), {"TRAINYARD_TRACKING_URI": tracking.uri}
    with shared_operator(controllers, "serving", SHARING, folder, env) as operator:
        yield operator


@pytest.fixture
def bench(
    controllers: ApiServer, crew: SharedOperator, tracking: TrackingServer, logged: tuple[str, str]
) -> ServingBench:
    return ServingBench(controllers, crew.unused.pop(), tracking, logged)


@pytest.fixture
def alone(
    controllers: ApiServer, namespace: str, tracking: TrackingServer, logged: tuple[str, str]
) -> ServingBench:
    return ServingBench(controllers, namespace, tracking, logged)


def _serve_first(bench: ServingBench) -> None:
    bench.train("first", 0.90)
    bench.runs("1")
    bench.verified("1")
    bench.serving("1")
    bench.promoted("first", "Promoted")


def test_a_promotion_is_served_verified_and_becomes_champion(bench: ServingBench) -> None:
    bench.train("first", 0.90)
    made = eventually(bench.server_body, within=25)
    assert made["spec"]["source"] == {"promotions": {}}
    assert made["spec"]["auth"] == {"tokenSecret": "tokens"}
    assert "ownerReferences" not in made["metadata"]
    bench.promoted("first", "RollingOut")
    live = bench.runs("1")
    template = live["spec"]["template"]
    uri = template["metadata"]["annotations"]["trainyard.dev/artifact-uri"]
    assert bench.tracking.artifact(uri, "package.json") == b"{}"
    env = {e["name"]: e.get("value") for e in template["spec"]["initContainers"][0]["env"]}
    assert (env["TRAINYARD_ARTIFACT_URI"], env["TRAINYARD_SHA256"]) == (uri, "1" * 64)
    assert bench.champion() == "", "nothing is verified yet"
    bench.promoted("first", "Verifying")
    bench.verified("1")
    status = bench.serving("1")
    assert bench.champion() == "1"
    (entry,) = status["history"]
    assert (entry["version"], entry["sha256"], entry["promotedBy"]) == ("1", "1" * 64, "TrainingJob/first")
    assert {c["type"]: c["status"] for c in status["conditions"]}["Serving"] == "True"
    assert status["url"] == f"http://{MODEL}.{bench.namespace}.svc:80"
    done = bench.promoted("first", "Promoted")
    assert done["version"] == "1"
    conditions = {c["type"]: c for c in bench.status("first")["conditions"]}
    assert conditions["Promoted"]["status"] == "True"
    assert "0.9" in conditions["Promoted"]["message"]


def test_a_worse_retrain_is_rejected_and_a_better_one_serves(bench: ServingBench) -> None:
    _serve_first(bench)
    bench.train("worse", 0.85)
    rejected = bench.promoted("worse", "Rejected")
    assert rejected["reason"] == "NoImprovement"
    assert rejected["candidateValue"] == 0.85
    assert rejected["championValue"] == 0.9
    assert "0.85" in rejected["message"]
    assert "0.9" in rejected["message"]
    assert bench.versions() == ["1"]
    bench.train("better", 0.95, digest="2" * 64)
    bench.runs("2")
    bench.verified("2")
    status = bench.serving("2")
    assert [h["version"] for h in status["history"]] == ["2", "1"]
    assert status["history"][1]["until"]
    assert bench.champion() == "2"
    bench.promoted("better", "Promoted")


def test_a_pin_serves_an_older_version_until_it_ends(bench: ServingBench) -> None:
    _serve_first(bench)
    bench.train("better", 0.95, digest="2" * 64)
    bench.runs("2")
    bench.verified("2")
    bench.serving("2")
    bench.source(version="1")
    bench.runs("1")
    bench.verified("1")
    status = bench.serving("1")
    assert bench.champion() == "1"
    assert [h["version"] for h in status["history"]] == ["1", "2", "1"]
    bench.train("best", 0.99, digest="3" * 64)
    waiting = bench.promoted("best", "AwaitingApproval")
    assert waiting["reason"] == "PinnedByUser"
    bench.source(promotions={})
    bench.runs("3")
    bench.verified("3")
    bench.serving("3")
    bench.promoted("best", "Promoted")
    assert bench.champion() == "3"


def test_a_version_that_is_not_verified_is_taken_back(bench: ServingBench) -> None:
    _serve_first(bench)
    bench.train("better", 0.95, digest="2" * 64)
    bench.runs("2")
    bench.verified("2", ok=False, message="answer 3 differs by 0.2")
    bench.runs("1")
    status = bench.serving("1", "Degraded")
    assert status["failedTarget"]["version"] == "2"
    assert "differs by 0.2" in status["failedTarget"]["message"]
    assert bench.champion() == "1"
    back = bench.promoted("better", "RolledBack")
    assert back["reason"] == "VerifyFailed"
    assert "differs by 0.2" in back["message"]
    annotations = bench.deployment()["spec"]["template"]["metadata"]["annotations"]
    assert annotations["trainyard.dev/sha256"] == "1" * 64


def test_a_tampered_package_never_serves(bench: ServingBench) -> None:
    _serve_first(bench)
    path = f"/apis/trainyard.dev/v1alpha1/namespaces/{bench.namespace}/modelservers/{MODEL}"
    patch = {"spec": {"rollout": {"deadlineSeconds": 10}}}
    bench.server.request("PATCH", path, patch, content_type=MERGE)
    bench.runs("1")
    bench.train("better", 0.95, digest="2" * 64)
    bench.crashes("2", "sha256 of the package is not the pinned one")
    bench.serving("1", "Degraded", within=30)
    bench.runs("1")
    back = bench.promoted("better", "RolledBack")
    assert back["reason"] == "RolloutFailed"
    assert "sha256 of the package" in back["message"]
    assert bench.champion() == "1"


def test_what_somebody_changed_is_put_right(bench: ServingBench) -> None:
    _serve_first(bench)
    apps = f"/apis/apps/v1/namespaces/{bench.namespace}/deployments/{MODEL}-ms"
    tampered = {"spec": {"replicas": 3, "template": {"metadata": {"labels": {"trainyard.dev/version": "9"}}}}}
    bench.server.request("PATCH", apps, tampered, content_type=MERGE)
    bench.runs("1")
    eventually(lambda: bench.deployment()["spec"]["replicas"] == 1)
    managers = {m["manager"]: m["operation"] for m in bench.deployment()["metadata"]["managedFields"]}
    assert managers["trainyard-operator"] == "Apply"
    assert managers["trainyard-replicas"] == "Apply"


def test_a_settled_server_is_written_no_more(alone: ServingBench, tmp_path: Path) -> None:
    env = {"TRAINYARD_TRACKING_URI": alone.tracking.uri, "TRAINYARD_RESYNC_SECONDS": "1"}
    with running_operator(alone.server, alone.namespace, tmp_path, env) as operator:
        assert operator.rss_mib() < 150, "MLflow's client is loaded only when something is promoted"
        _serve_first(alone)
        before, reads = _writes(operator), operator.requests()["get", "modelservers", "200"]
        eventually(lambda: operator.requests()["get", "modelservers", "200"] > reads + 3)
        assert _writes(operator) == before


def _writes(operator: OperatorProcess) -> dict[tuple[str, str, str], float]:
    found = operator.requests().items()
    return {k: v for k, v in found if k[0] not in {"get", "list"} and k[1] != "events"}


def test_a_deployment_of_somebody_else_is_never_touched(bench: ServingBench) -> None:
    labels = {"app": "theirs"}
    body = {
        "metadata": {"name": f"{MODEL}-ms"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "theirs"}]},
            },
        },
    }
    bench.server.request("POST", f"/apis/apps/v1/namespaces/{bench.namespace}/deployments", body)
    bench.train("first", 0.90)
    status = eventually(
        lambda: s if (s := bench.server_status()).get("reason") == "NameConflict" else None, within=25
    )
    assert f"Deployment {MODEL}-ms" in (status or {})["message"]
    assert bench.deployment()["spec"]["template"]["spec"]["containers"][0]["image"] == "theirs"


def test_mlflow_that_is_down_is_told_and_waited_for(bench: ServingBench, crew: SharedOperator) -> None:
    bench.tracking.stop()
    try:
        bench.train("first", 0.90)
        told = eventually(
            lambda: p if (p := bench.status("first").get("promotion", {})).get("reason") else None, within=30
        )
        assert told is not None
        assert told["reason"] == "TrackingUnavailable"
        assert "does not answer" in told["message"]
        bench.apply("other")
        eventually(lambda: "other-tj-a1" in bench.names("jobs"))
        assert crew.process.fetch("/healthz")[0] == 200
    finally:
        bench.tracking.start()
    bench.promoted("first", "RollingOut", within=40)
    eventually(lambda: bench.versions() == ["1"], within=20)


def test_operator_death_between_the_steps_changes_nothing(alone: ServingBench, tmp_path: Path) -> None:
    env = {"TRAINYARD_TRACKING_URI": alone.tracking.uri}

    def begin(name: str) -> OperatorProcess:
        return OperatorProcess.start(alone.server, alone.namespace, tmp_path / name, env)

    first = begin("first.log")
    alone.train("first", 0.90)
    eventually(alone.deployment, within=25)
    first.kill()
    alone.runs("1")
    second = begin("second.log")
    alone.verified("1")
    second.kill()
    third = begin("third.log")
    try:
        status = alone.serving("1")
        alone.promoted("first", "Promoted")
    finally:
        third.child.stop()
    assert alone.champion() == "1"
    assert alone.versions() == ["1"]
    assert len(status["history"]) == 1


def test_chart_grants_all_that_serving_needs(alone: ServingBench, tmp_path: Path) -> None:
    narrow = narrow_kubeconfig(alone.server, alone.namespace, "narrow-serving", tmp_path)
    env = {"KUBECONFIG": str(narrow), "TRAINYARD_TRACKING_URI": alone.tracking.uri}
    with running_operator(alone.server, alone.namespace, tmp_path, env) as operator:
        _serve_first(alone)
        refused = {k: v for k, v in operator.requests().items() if k[2] in {"401", "403"}}
    assert set(refused) <= {("get", "namespaces", "403")}
