"""What a run says of itself: the specification that repeats it, and where it came from."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainer.jobs import Quiet, attempt_spec, job, store
from trainyard.api.wire import AttemptSpec
from trainyard_trainer.resolve import resolve
from trainyard_trainer.runner import as_job_error, run_job
from trainyard_trainer.stop import StopRequest
from trainyard_trainer.tracking.mlflow_run import MlflowRun, RunIdentity
from trainyard_trainer.tracking.provenance import commit, provenance

FEW = {"epochs": 2, "evaluation": {"bootstrapSamples": 0, "baseline": False}}


@pytest.fixture
def uri(mlflow_template: Path, tmp_path: Path) -> str:
    return store(mlflow_template, tmp_path)


def artifact(uri: str, run_id: str, name: str) -> Any:
    from mlflow import artifacts

    return json.loads(
        Path(artifacts.download_artifacts(run_id=run_id, artifact_path=name, tracking_uri=uri)).read_text()
    )


def test_a_json_artifact_is_replaced_and_never_holds_what_json_cannot(uri: str, tmp_path: Path) -> None:
    run = MlflowRun(RunIdentity(uri, "e", "n", "u", artifact_root=(tmp_path / "a").as_uri()))
    run.log_json("evaluation.json", {"old": 1})
    run.log_json("evaluation.json", {"größe": [1, 2.5, None]})
    assert artifact(uri, run.run_id, "evaluation.json") == {"größe": [1, 2.5, None]}
    with pytest.raises(ValueError, match="JSON"):
        run.log_json("evaluation.json", {"value": float("nan")})


def test_the_specification_that_a_run_logs_resolves_to_the_same_job(uri: str, tmp_path: Path) -> None:
    one = job(uri, tmp_path, training=FEW)
    result, _ = run_job(one, tmp_path / "w", Quiet(), StopRequest())
    logged = artifact(uri, str(result.run_id), "spec.json")
    again = resolve(AttemptSpec.model_validate(logged))
    assert (again.params, again.data, again.fit, again.model) == (one.params, one.data, one.fit, one.model)
    assert logged["spec"]["training"]["optimizer"]["name"] == "adam"  # defaults are written out

    from mlflow import MlflowClient

    tags = MlflowClient(uri).get_run(result.run_id).data.tags
    assert {name: tags[name] for name in provenance()} == provenance()


def test_no_credential_is_logged(tmp_path: Path) -> None:
    body = attempt_spec("https://me:secret@mlflow.example/path")
    body["coordinator"] = {"url": "https://c", "tokenFile": "/var/token"}
    document = resolve(AttemptSpec.model_validate(body)).document
    assert "secret" not in json.dumps(document)
    assert document["tracking"]["uri"] == "https://mlflow.example/path"
    assert "coordinator" not in document


def test_where_a_run_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("TRAINYARD_IMAGE", "registry.example/trainer@sha256:1")
    assert commit() == ""
    found = provenance()
    assert "mlflow.source.git.commit" not in found
    assert found["trainyard.image"] == "registry.example/trainer@sha256:1"
    assert found["trainyard.python"] == platform.python_version()
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert provenance()["mlflow.source.git.commit"] == head.strip() != ""
    monkeypatch.setenv("PATH", "")
    assert commit() == ""


def test_other_data_than_the_job_is_held_to_are_refused(uri: str, tmp_path: Path) -> None:
    import dataclasses

    held = dataclasses.replace(job(uri, tmp_path, training=FEW), data_digest="0" * 64)
    result, _ = run_job(held, tmp_path / "w", Quiet(), StopRequest())
    assert (result.exit_code, result.run_id) == (65, None)
    assert "the data have changed: their digest is" in str(result.message)
    assert "and was 000000000000" in str(result.message)


def test_an_interrupt_anywhere_is_a_stop() -> None:
    error = as_job_error(KeyboardInterrupt())
    assert error is not None
    assert (error.cause, error.exit_code) == ("Stopped", 143)
