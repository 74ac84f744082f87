"""Whole runs against a real MLflow store: what is recorded, resumed, and refused."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainer.jobs import Quiet, job, store
from trainyard_model import read_package
from trainyard_trainer.evaluate.names import names
from trainyard_trainer.runner import run_job
from trainyard_trainer.stop import StopRequest


@pytest.fixture
def uri(mlflow_template: Path, tmp_path: Path) -> str:
    return store(mlflow_template, tmp_path)


def client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(uri)


def runs(uri: str) -> list[Any]:
    mlflow = client(uri)
    return list(mlflow.search_runs([e.experiment_id for e in mlflow.search_experiments()]))


class StopAfter(Quiet):
    """Asks to stop once an epoch is done."""

    def __init__(self, stop: StopRequest, epoch: int) -> None:
        super().__init__()
        self.stop, self.at = stop, epoch

    def epoch(self, epoch: Any, epochs: int, eta_seconds: float) -> None:
        super().epoch(epoch, epochs, eta_seconds)
        if epoch.number == self.at:
            self.stop.set()


def test_a_run_is_recorded_whole(uri: str, tmp_path: Path) -> None:
    one = job(uri, tmp_path)
    result, outcome = run_job(one, tmp_path / "w", Quiet(), StopRequest())
    assert result.exit_code == 0, result
    mlflow = client(uri)
    run = mlflow.get_run(result.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["model.tabnet.nD"] == "4"
    assert run.data.params["data.source.uri"] == "sample://breast_cancer"
    assert run.data.tags["trainyard.uid"] == "uid-1"
    assert run.data.tags["trainyard.attempt"] == "1"
    assert run.data.tags["trainyard.dataDigest"] == outcome.data_digest
    assert run.data.tags["trainyard.result"] == result.to_message()
    dataset = run.inputs.dataset_inputs[0].dataset
    assert dataset.digest == (outcome.data_digest or "")[:32]
    for metric in ("train_loss", "val_loss", "val_roc_auc", "val_accuracy", "val_log_loss"):
        assert [m.step for m in mlflow.get_metric_history(result.run_id, metric)] == list(range(1, 7))
    assert run.data.metrics["test_roc_auc"] == pytest.approx(result.metrics["test_roc_auc"])
    assert result.data is not None
    assert (result.data.rows, result.epochs) == (569, 6)

    model = mlflow.get_logged_model(str(result.model_uri).removeprefix("models:/"))
    assert model.source_run_id == result.run_id
    assert model.tags["trainyard.modelSHA256"] == result.model_sha256
    assert {m.key for m in model.metrics} == {f"test_{name}" for name in names("Classification", 2)}


def test_the_reported_test_metrics_are_those_of_the_package(uri: str, tmp_path: Path) -> None:
    from trainyard_model import Predictor
    from trainyard_trainer.data.load import load
    from trainyard_trainer.data.prepare import prepare
    from trainyard_trainer.evaluate.judge import evaluate, prefixed

    one = job(uri, tmp_path, training={"epochs": 30, "deterministic": False})
    result, _ = run_job(one, tmp_path / "w", Quiet(), StopRequest())
    data = prepare(load(one.data, tmp_path)[0], one.data)
    rows = data.rows.test
    predictor = Predictor(read_package(tmp_path / "w" / "package"))
    at = predictor.package.threshold
    assert at is not None
    found = evaluate(
        "Classification", predictor.scores(data.raw(rows)), data.target.values[rows], threshold=at
    )
    again = prefixed("test", found)
    assert {name: result.metrics[name] for name in again} == pytest.approx(again)
    assert result.metrics["test_roc_auc"] >= 0.98


def test_stopped_then_resumed_is_one_run_and_the_same_model(
    uri: str, mlflow_template: Path, tmp_path: Path
) -> None:
    (tmp_path / "whole").mkdir()
    whole, _ = run_job(
        job(store(mlflow_template, tmp_path / "whole"), tmp_path), tmp_path / "w1", Quiet(), StopRequest()
    )
    stop = StopRequest()
    first, _ = run_job(job(uri, tmp_path), tmp_path / "w2", StopAfter(stop, 3), stop)
    assert (first.exit_code, first.cause, first.epochs) == (143, "Stopped", 3)
    mlflow = client(uri)
    assert mlflow.get_run(first.run_id).info.status == "KILLED"
    assert first.model_uri is None

    observer = Quiet()  # another pod: its work folder is empty, the checkpoint is the run's
    second, _ = run_job(job(uri, tmp_path, number=2), tmp_path / "w3", observer, StopRequest())
    assert second.exit_code == 0, second
    assert second.run_id == first.run_id
    assert observer.resumed_after == 3
    assert observer.epochs == [4, 5, 6]
    run = mlflow.get_run(second.run_id)
    assert (run.info.status, run.data.tags["trainyard.attempt"]) == ("FINISHED", "2")
    steps = [m.step for m in mlflow.get_metric_history(second.run_id, "train_loss")]
    assert sorted(steps) == list(range(1, 7))
    assert second.model_sha256 == whole.model_sha256
    assert len(runs(uri)) == 1


def test_steps_trained_again_are_not_logged_again(uri: str, tmp_path: Path) -> None:
    import shutil

    stop = StopRequest()
    run_job(job(uri, tmp_path), tmp_path / "w", StopAfter(stop, 4), stop)
    shutil.rmtree(tmp_path / "w")
    shutil.rmtree(tmp_path / "artifacts")  # the checkpoint is lost altogether
    observer = Quiet()
    result, _ = run_job(job(uri, tmp_path, number=2), tmp_path / "w", observer, StopRequest())
    assert observer.epochs == [1, 2, 3, 4, 5, 6]
    history = client(uri).get_metric_history(result.run_id, "val_accuracy")
    steps = [m.step for m in history]
    assert sorted(steps) == [1, 2, 3, 4, 5, 6]


def test_an_older_attempt_gives_way(uri: str, tmp_path: Path) -> None:
    stop = StopRequest()
    newer, _ = run_job(job(uri, tmp_path, number=3), tmp_path / "w1", StopAfter(stop, 2), stop)
    older, _ = run_job(job(uri, tmp_path, number=2), tmp_path / "w2", Quiet(), StopRequest())
    assert (older.exit_code, older.cause) == (143, "Stopped")
    assert "attempt 3 has taken over" in str(older.message)
    assert client(uri).get_run(newer.run_id).data.tags["trainyard.attempt"] == "3"


def test_bad_data_leave_nothing_behind(uri: str, tmp_path: Path) -> None:
    result, _ = run_job(job(uri, tmp_path, data={"target": "targe"}), tmp_path / "w", Quiet(), StopRequest())
    assert (result.exit_code, result.cause) == (65, "DataError")
    assert "no column 'targe'; did you mean 'target'?" in str(result.message)
    assert result.remedy
    assert runs(uri) == []
    assert client(uri).search_logged_models([e.experiment_id for e in client(uri).search_experiments()]) == []


def test_a_failure_in_training_is_told_in_the_run(uri: str, tmp_path: Path) -> None:
    result, _ = run_job(
        job(uri, tmp_path, training={"metric": "val_f2"}), tmp_path / "w", Quiet(), StopRequest()
    )
    assert (result.exit_code, result.cause) == (64, "InvalidSpec")
    [run] = runs(uri)
    assert run.info.status == "FAILED"
    assert "val_f2" in run.data.tags["trainyard.result"]


def test_no_mlflow_is_a_dependency_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainyard_trainer.tracking.environment.START_SECONDS", 0.5)
    result, _ = run_job(job("http://127.0.0.1:1", tmp_path), tmp_path / "w", Quiet(), StopRequest())
    assert (result.exit_code, result.cause) == (69, "DependencyDown")
    assert "MLflow at http://127.0.0.1:1 cannot be reached" in str(result.message)


class Refusing(http.server.BaseHTTPRequestHandler):
    """MLflow's answer to a Host header that it does not know."""

    def do_GET(self) -> None:
        """Refuse."""
        self.send_error(403, "Invalid Host header")

    def log_message(self, *args: Any) -> None:
        """Silence."""


def test_a_refusing_mlflow_is_not_allowed(tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}"
        result, _ = run_job(job(uri, tmp_path), tmp_path / "w", Quiet(), StopRequest())
        server.shutdown()
    assert (result.exit_code, result.cause) == (77, "NotAllowed")


@pytest.mark.parametrize(
    ("raised", "cause", "code"),
    [
        (MemoryError(), "OOMKilled", 137),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            "OOMKilled",
            137,
        ),
        (OSError(28, "No space left on device", "/tmp/x"), "Temporary", 75),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), "DataError", 65),
        (KeyError("a defect"), None, 1),
    ],
)
def test_errors_of_libraries_have_causes_too(
    raised: Exception, cause: str | None, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise raised

    monkeypatch.setattr("trainyard_trainer.pipeline.load", fail)
    result, _ = run_job(job("sqlite:///unused", tmp_path), tmp_path / "w", Quiet(), StopRequest())
    assert (result.cause, result.exit_code) == (cause, code)
    assert result.message
    assert result.remedy


def test_the_result_fits_however_long_the_message() -> None:
    from trainyard_trainer.errors import DataError
    from trainyard_trainer.outcome import Outcome
    from trainyard_trainer.runner import make_result

    outcome = Outcome(metrics={f"val_metric_{i}": 1 / 3 for i in range(100)}, data_digest="d" * 64)
    message = make_result(outcome, DataError("ü" * 9000, "x" * 9000)).to_message()
    assert len(message.encode()) <= 4096
