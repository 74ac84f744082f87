"""What a newcomer sees on a terminal of 80 columns, while it trains and when it is done."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from trainyard.cli.rundisplay import show_success
from trainyard.local.progress import RichObserver, clock, make_observer
from trainyard_trainer.fit.loop import Epoch
from trainyard_trainer.outcome import Outcome

METRICS = {
    "test_balanced_accuracy": 0.95,
    "test_roc_auc": 0.9913,
    "test_baseline_roc_auc": 0.98,
    "test_majority_roc_auc": 0.5,
    "oof_roc_auc": 0.9899,
    "oof_roc_auc_std": 0.01,
    "val_roc_auc": 0.9853,
    "val_balanced_accuracy": 0.9561,
}
EVALUATION: dict[str, Any] = {
    "task": "Classification",
    "metric": "val_roc_auc",
    "test": {"roc_auc": {"value": 0.9913, "low": 0.975, "high": 1.0}, "balanced_accuracy": {"value": 0.95}},
}


def terminal(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def finished(metrics: dict[str, float], evaluation: dict[str, Any], uri: str) -> Any:
    outcome = Outcome(experiment_id="7", run_id="r" * 32, model_uri="models:/m-1", epochs=9, best_epoch=4)
    outcome.metrics, outcome.evaluation = metrics, evaluation
    identity = SimpleNamespace(uri=uri, experiment="bc")
    job = SimpleNamespace(identity=identity)
    return SimpleNamespace(job=job, outcome=outcome, training_seconds=3.4, seconds=65.0)


def test_the_table_fits_and_says_what_its_columns_are() -> None:
    console = terminal()
    show_success(console, finished(METRICS, EVALUATION, "http://mlflow:5000/"))
    lines = text(console).splitlines()
    head = next(line for line in lines if line.startswith("metric"))
    row = next(line for line in lines if line.startswith("roc_auc"))
    assert head.split() == ["metric", "val", "folds", "test", "95", "%", "interval", "baseline", "majority"]
    assert row.split() == ["roc_auc", "0.9853", "0.9899", "0.9913", "[0.975,", "1.000]", "0.9800", "0.5000"]
    assert max(len(line.rstrip()) for line in lines[: lines.index("look")]) <= 80
    whole = " ".join(text(console).split())
    assert "trained in 3 s (1 min 05 s in all); epoch 4 of 9 is the best" in whole
    assert "the baseline's roc_auc lies in the interval: a simpler model may do as well" in whole
    assert f"http://mlflow:5000/#/experiments/7/runs/{'r' * 32}" in whole
    assert "trainyard serve models:/m-1 --tracking-uri http://mlflow:5000/" in whole
    assert 'trainyard.load("models:/m-1", "http://mlflow:5000/")' in whole


@pytest.mark.parametrize(
    ("metric", "baseline", "says"),
    [("rmse", 50.0, True), ("rmse", 70.0, False), ("r2", 0.9, True), ("r2", 0.1, False)],
)
def test_a_better_baseline_is_said(metric: str, baseline: float, says: bool) -> None:
    low, high = (55.0, 65.0) if metric == "rmse" else (0.4, 0.6)
    metrics = {f"test_{metric}": (low + high) / 2, f"test_baseline_{metric}": baseline}
    evaluation = {
        "task": "Regression",
        "metric": f"val_{metric}",
        "test": {metric: {"value": (low + high) / 2, "low": low, "high": high}},
    }
    console = terminal()
    show_success(console, finished(metrics, evaluation, "sqlite:///mlflow.db"))
    assert ("a simpler model does better here" in text(console)) is says
    assert "mean: always the mean of the training rows" in " ".join(text(console).split())


def test_the_live_display_fits_and_shows_the_best() -> None:
    console = terminal()
    with RichObserver(console, "val_auc") as observer:
        observer.begin(1000, 0)
        observer.epoch(Epoch(999, {"train_loss": 1.0, "val_auc": 0.75}, 0.01, 12345, True), 1000, 7325.0)
        observer.epoch(Epoch(1000, {"train_loss": 1.0, "val_auc": 0.5}, 0.01, 12345, False), 1000, 7325.0)
        observer._live.refresh()
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text(console))
    lines = [line for drawn in plain.splitlines() for line in drawn.split("\r")]
    assert any("epoch 1000/1000  1,234,500 rows/s  122 min 05 s left" in line for line in lines)
    assert any(line.strip() == "val_auc 0.5000, best 0.7500 (epoch 999)" for line in lines)
    assert max(len(line) for line in lines) <= 80


def test_without_a_terminal_there_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with make_observer(Console(file=io.StringIO()), None) as observer:
        observer.stage("reading")
        observer.epoch(Epoch(1, {"train_loss": 0.5}, 0.5, 100, True), 1, 0.0)
        observer.fold(2, 2, {"auc": 0.5})
    assert capsys.readouterr().out.splitlines() == [
        "reading",
        "epoch 1/1: train_loss 0.5000; 200 rows/s, 0 s left",
        "fold 2/2: auc 0.5000",
    ]
    assert observer.headline.training_seconds == 0.5


def test_seconds_as_people_say_them() -> None:
    assert [clock(s) for s in (0.2, 59.6, 3601)] == ["0 s", "1 min 00 s", "60 min 01 s"]
