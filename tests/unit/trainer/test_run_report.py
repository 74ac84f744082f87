"""A run's report and system metrics, where people look for them: in MLflow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.trainer.jobs import Quiet, job, store
from trainyard_trainer import finish, fractions
from trainyard_trainer.assembly import assemble
from trainyard_trainer.assess import assess
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import prepare
from trainyard_trainer.fit.loop import Epoch
from trainyard_trainer.package.build import build_package
from trainyard_trainer.report import make_report
from trainyard_trainer.report.gather import gather
from trainyard_trainer.runner import run_job
from trainyard_trainer.stop import StopRequest


class StopAfter(Quiet):
    """Asks to stop once an epoch is done."""

    def __init__(self, stop: StopRequest, epoch: int) -> None:
        super().__init__()
        self.stop, self.at = stop, epoch

    def epoch(self, epoch: object, epochs: int, eta_seconds: float) -> None:
        if getattr(epoch, "number", 0) == self.at:
            self.stop.set()


@pytest.fixture
def uri(mlflow_template: Path, tmp_path: Path) -> str:
    return store(mlflow_template, tmp_path)


def test_a_resumed_run_has_all_of_its_report(uri: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    wanted = {
        "tracking": {"report": True, "systemMetrics": True},
        "model": {"tabnet": None, "mlp": {"layers": 1, "width": 8}},
    }
    stop = StopRequest()
    run_job(job(uri, tmp_path, **wanted), tmp_path / "w", StopAfter(stop, 2), stop)
    result, _ = run_job(job(uri, tmp_path, 2, **wanted), tmp_path / "w", Quiet(), StopRequest())
    assert result.exit_code == 0, result
    client = MlflowClient(uri)
    names = {item.path for item in client.list_artifacts(result.run_id, "report")}
    assert {
        "report/report.html",
        "report/roc_curve.png",
        "report/roc_curve.json",
        "report/model.svg",
    } <= names
    folder = Path(client.download_artifacts(result.run_id, "report", str(tmp_path)))
    assert "could not be made" not in (folder / "report.html").read_text()
    curves = json.loads((folder / "learning_curves.json").read_text())
    assert [row[0] for row in curves["data"]] == [1, 2, 3, 4, 5, 6]  # also those before it was stopped
    run = client.get_run(result.run_id)
    assert run.data.tags["trainyard.cpu"]
    assert 0 < run.data.metrics["system/system_memory_usage_percentage"] <= 100
    assert "system/cpu_utilization_percentage" in run.data.metrics


def test_a_report_that_fails_leaves_the_run(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*parts: object) -> None:
        raise ZeroDivisionError("no")

    monkeypatch.setattr(finish, "gather", broken)
    off = {"tracking": {"report": True, "systemMetrics": False}}
    result, outcome = run_job(job(uri, tmp_path, **off), tmp_path / "w", Quiet(), StopRequest())
    assert result.exit_code == 0, result
    assert outcome.model_uri
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    assert not client.list_artifacts(result.run_id, "report")
    assert not [name for name in client.get_run(result.run_id).data.metrics if name.startswith("system/")]


def test_smaller_parts_of_the_rows_are_scored_on_validation_rows(tmp_path: Path) -> None:
    one = job("sqlite:///unused", tmp_path, model={"tabnet": None, "mlp": {"layers": 0}})
    data = prepare(load(one.data, tmp_path)[0], one.data)
    _, fitter = assemble(one, data)
    session = Heard()
    fitter.run(session)
    assert fractions.worthwhile(session, fitter)  # type: ignore[arg-type]
    found = fractions.score_by_rows(one, data, fitter, session)  # type: ignore[arg-type]
    assert [one.rows for one in found] == [len(data.train) // n for n in (8, 4, 2, 1)]
    assert found[-1].low is not None
    assert found[-1].high is not None
    assert found[-1].low <= found[-1].value <= found[-1].high
    assert found[-1].value == (fitter.selection.best_metrics or {})[fitter.selection.metric]
    session.seconds = 60.0
    assert not fractions.worthwhile(session, fitter)  # type: ignore[arg-type]


class Heard:
    """As much of a session as a loop needs."""

    def __init__(self) -> None:
        self.history: dict[int, object] = {}
        self.seconds = 0.0

    def stopping(self) -> bool:
        return False

    def epoch_done(self, epoch: Epoch) -> None:
        self.history[epoch.number] = epoch.metrics

    def save(self, state: object, epoch: int) -> None:
        pass

    def say(self, text: str) -> None:
        pass


@pytest.mark.parametrize(
    ("model", "source", "titles"),
    [
        (
            {"lstm": {"embeddingSize": 4, "hiddenSize": 4}},
            "sample://notes",
            ("What it can read", "Clean-up", "Words for each class", "<mark", "LSTM"),
        ),
        (
            {"convnet": {"conv": [{"channels": 2}]}},
            "sample://digits?as=image",
            ("Images of each class", "Where it looks, by class", "Misclassified", "conv 3 × 3"),
        ),
    ],
)
def test_texts_and_images_are_reported_as_they_are_prepared(
    tmp_path: Path, model: dict[str, object], source: str, titles: tuple[str, ...]
) -> None:
    one = job("sqlite:///unused", tmp_path, model={"tabnet": None, **model}, data={"source": {"uri": source}})
    data = prepare(load(one.data, tmp_path)[0], one.data)
    network, _ = assemble(one, data)
    predictor, _ = build_package(one.family, network, data, tmp_path / "package")
    document = assess(data, predictor, one.evaluation, "val_accuracy")
    importance = predictor.importance(data.raw(data.rows.test[:20]))
    found = gather("a", data, predictor, network, {}, document, importance)
    page = make_report(found).files["report.html"].decode()
    assert "could not be made" not in page
    for title in titles:
        assert title in page
