"""Bad input fails once, plainly, with nothing registered; a tracker that is down is waited for."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from hack import cluster, deploy
from tests.support import mlflow_server
from tests.support.cluster import Namespace, mounted_csv, status, training_job

pytestmark = [pytest.mark.integration, pytest.mark.timeout(420)]
ROWS = "\n".join(["age,height,sick", *(f"{i},{i * 2},{'yes' if i % 3 else 'no'}" for i in range(60))])

BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "missing-column": (ROWS, {"target": "sik"}, "sik"),
    "empty-data": ("age,height,sick\n", {"target": "sick"}, "rows.csv"),
    "one-class": (ROWS.replace("no", "yes"), {"target": "sick"}, "sick"),
    "not-a-table": ('a,b\n1,2\n"3,4,5,6\n7', {"target": "b"}, "rows.csv"),
}


def assert_data_error(namespace: Namespace, name: str, named: str) -> None:
    """The job failed once, for the data, says what and what to do, and MLflow has no model of it."""
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


@pytest.mark.parametrize("name", BAD)
def test_bad_data_fails_once_and_says_what_to_do(namespace: Namespace, name: str) -> None:
    text, data, named = BAD[name]
    files, job = mounted_csv(name, text, **data)
    namespace.apply(files, job)
    assert_data_error(namespace, name, named)


def test_an_unreadable_file(namespace: Namespace) -> None:
    namespace.apply(training_job("nowhere", data={"source": {"uri": "file:///data/rows.csv"}}))
    assert_data_error(namespace, "nowhere", "/data/rows.csv")


def test_a_wrong_sha256(namespace: Namespace) -> None:
    files, job = mounted_csv("pinned", ROWS, target="sick")
    job["spec"]["data"]["source"]["sha256"] = "0" * 64
    namespace.apply(files, job)
    assert_data_error(namespace, "pinned", "sha256")


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
