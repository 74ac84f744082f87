"""Bad input fails once, plainly, with nothing registered; a tracker that is down is waited for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from hack import cluster, deploy
from tests.support import mlflow_server
from tests.support.cluster import Manifest, Namespace, mounted_csv, status, training_job

pytestmark = [pytest.mark.integration, pytest.mark.timeout(420)]
ABSENT = "file:///data/rows.csv"
ROWS = "\n".join(["age,height,sick", *(f"{i},{i * 2},{'yes' if i % 3 else 'no'}" for i in range(60))])


def _bad() -> dict[str, tuple[list[Manifest], str]]:
    """By name: what is applied, and what the message has to name."""
    pinned = mounted_csv("pinned", ROWS, target="sick")
    pinned[1]["spec"]["data"]["source"]["sha256"] = "0" * 64
    torn = 'a,b\n1,2\n"3,4,5,6\n7'
    return {
        "missing-column": ([*mounted_csv("missing-column", ROWS, target="sik")], "sik"),
        "empty-data": ([*mounted_csv("empty-data", "age,height,sick\n", target="sick")], "rows.csv"),
        "one-class": ([*mounted_csv("one-class", ROWS.replace("no", "yes"), target="sick")], "sick"),
        "not-a-table": ([*mounted_csv("not-a-table", torn, target="b")], "rows.csv"),
        "nowhere": ([training_job("nowhere", data={"source": {"uri": ABSENT}})], "/data/rows.csv"),
        "pinned": ([*pinned], "sha256"),
    }


BAD = _bad()


@pytest.fixture(scope="module")
def applied(new_namespace: Callable[[], Namespace]) -> dict[str, Namespace]:
    """Every bad job in a namespace of its own."""
    namespaces = {name: new_namespace() for name in BAD}
    for name, namespace in namespaces.items():
        namespace.apply(*BAD[name][0])
    return namespaces


@pytest.mark.parametrize("name", BAD)
def test_bad_data_fails_once_and_says_what_to_do(applied: dict[str, Namespace], name: str) -> None:
    namespace, named = applied[name], BAD[name][1]
    end = namespace.finished(name)
    assert (end["state"], end["reason"]) == ("Failed", "DataError"), end
    assert named in end["message"], end["message"]
    assert end["lastFailure"]["exitCode"] == 65
    assert end["lastFailure"]["remedy"]
    assert end["attempt"] == 1
    assert len(namespace.items("jobs")) == 1
    uid = namespace.get("tj", name)["metadata"]["uid"]
    for run in mlflow_server.runs_of(uid):
        assert run["info"]["status"] == "FAILED"
        assert not run.get("outputs", {}).get("model_outputs")
    assert not [model for model in mlflow_server.registered() if model.startswith(f"{namespace.name}.")]


def test_a_broken_rule_is_refused_by_the_api_server_with_the_field(namespace: Namespace) -> None:
    job = training_job("refused")
    job["spec"]["training"]["epochs"] = 0
    job["spec"]["model"]["mlp"] = {}
    with pytest.raises(AssertionError, match=r"spec\.training\.epochs") as refused:
        namespace.apply(job)
    assert "spec.model" in str(refused.value)


def scale_mlflow(replicas: int) -> None:
    """Stop or start the tracking server."""
    for words in (
        ("scale", "deployment/trainyard-mlflow", f"--replicas={replicas}"),
        ("rollout", "status", "deployment/trainyard-mlflow", "--timeout=180s"),
    ):
        subprocess.run(cluster.kubectl("-n", deploy.NAMESPACE, *words), check=True, capture_output=True)


def test_a_job_waits_for_mlflow_and_goes_on(namespace: Namespace) -> None:
    scale_mlflow(0)
    try:
        namespace.apply(training_job("patient"))
        job = namespace.wait(
            "patient",
            lambda j: (status(j).get("state"), status(j).get("reason")) == ("Starting", "DependencyDown"),
            "Starting / DependencyDown",
        )
        assert "MLflow" in status(job)["message"]
    finally:
        scale_mlflow(1)
    assert namespace.finished("patient", 240)["state"] == "Succeeded"
