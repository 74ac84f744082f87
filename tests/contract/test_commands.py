"""The commands about a cluster's TrainingJobs, against a real API server; there is no operator to act."""

from __future__ import annotations

import pytest
import yaml
from typer.testing import CliRunner

from tests.support.apiserver import MERGE, ApiServer
from tests.support.operator_process import TRAINING_JOBS, Bench, Body
from trainyard.cli import app

pytestmark = pytest.mark.contract


@pytest.fixture
def bench(apiserver: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("KUBECONFIG", str(apiserver.kubeconfig))
    monkeypatch.setenv("COLUMNS", "200")
    return Bench(apiserver, namespace)


def run(bench: Bench, *words: str, code: int = 0) -> str:
    """What a command prints."""
    done = CliRunner().invoke(app, [*words, "-n", bench.namespace])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def told(bench: Bench, name: str, status: Body) -> None:
    path = f"{TRAINING_JOBS.format(bench.namespace)}/{name}/status"
    bench.server.request("PATCH", path, {"status": status}, content_type=MERGE)


def test_explain_prints_the_plan_and_does_nothing(bench: Bench) -> None:
    bench.apply("adult", compute={"nodes": 2})
    before = bench.get("adult")
    plan = yaml.safe_load(run(bench, "explain", "adult"))
    assert [next(iter(action)) for action in plan["actions"]] == [
        "CreateConfigMap",
        "CreateNetwork",
        "CreateJob",
    ]
    assert (plan["status"]["state"], plan["status"]["attempt"]) == ("Starting", 1)
    assert bench.get("adult") == before
    assert not bench.items("jobs")
    told(bench, "adult", {"state": "Succeeded", "observedGeneration": 1, "attempt": 1, "restarts": 0})
    assert "as it should be" in run(bench, "explain", "adult")


def test_suspend_and_resume_write_what_the_operator_reads(bench: Bench) -> None:
    bench.apply("adult")
    run(bench, "suspend", "adult")
    assert bench.get("adult")["spec"]["runPolicy"]["suspend"] is True
    plan = yaml.safe_load(run(bench, "explain", "adult"))
    assert plan["status"]["state"] == "Suspended"
    run(bench, "resume", "adult")
    assert bench.get("adult")["spec"]["runPolicy"]["suspend"] is False
    told(bench, "adult", {"state": "Failed", "attempt": 1, "restarts": 0})
    assert "is over (Failed)" in run(bench, "suspend", "adult", code=64)


def test_get_and_describe_tell_reason_and_remedy(bench: Bench) -> None:
    assert "no TrainingJobs" in run(bench, "get")
    bench.apply("adult")
    bench.apply("other")
    failure = {"attempt": 1, "cause": "OOMKilled", "pod": "adult-tj-a1-0-x", "node": "n1", "exitCode": 137}
    status = {
        "state": "Failed",
        "reason": "OOMKilled",
        "message": "The pod used more memory than its limit.",
        "attempt": 1,
        "restarts": 0,
        "progress": {"summary": "3/50", "metric": "val_auc=0.9"},
        "lastFailure": {**failure, "message": "[bold]too much", "remedy": "Raise the limit."},
        "metrics": {"val_auc": 0.912345},
    }
    told(bench, "adult", status)
    head, first, second = run(bench, "get").splitlines()
    assert head.split() == ["NAME", "STATE", "REASON", "PROGRESS", "METRIC", "ETA", "RESTARTS", "AGE"]
    assert first.split()[:5] == ["adult", "Failed", "OOMKilled", "3/50", "val_auc=0.9"]
    assert second.split()[:2] == ["other", "Pending"]
    text = run(bench, "describe", "adult")
    for part in (
        "Failed: OOMKilled",
        "Raise the limit.",
        "n1, exit code 137",
        "[bold]too much",
        "val_auc=0.9123",
    ):
        assert part in text, text
    assert bench.namespace in run(bench, "get", "-A")


def test_what_is_not_there_is_told_with_what_to_do(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["get", "gone"], ["describe", "gone"], ["explain", "gone"], ["resume", "gone"]):
        assert '"gone" not found' in run(bench, *words, code=64)
    bench.apply("adult")
    assert "no pod that has run" in run(bench, "logs", "adult", code=64)
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    assert "KUBECONFIG" in run(bench, "get", code=64)
