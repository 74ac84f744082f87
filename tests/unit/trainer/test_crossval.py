"""Cross-validation judges every row by a model that has not seen it, and goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.trainer.jobs import Quiet, job, store
from trainyard_trainer.assess import metrics_of
from trainyard_trainer.crossval import FoldResult, out_of_fold
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import prepare
from trainyard_trainer.evaluate.judge import evaluate
from trainyard_trainer.runner import run_job
from trainyard_trainer.stop import StopRequest

FOLDS: dict[str, Any] = {
    "model": {"tabnet": None, "mlp": {"layers": 0}},
    "training": {"epochs": 4, "optimizer": {"learningRate": 0.05}, "batchSize": 64},
}


def split(**changes: Any) -> dict[str, Any]:
    return {"split": {"folds": 3, "repeats": 2, "validation": 0.1, "test": 0.2, **changes}}


class Watching(Quiet):
    """Remembers the folds, and asks to stop after some."""

    def __init__(self, stop: StopRequest, at: int | None = None) -> None:
        super().__init__()
        self.stop, self.at = stop, at
        self.folds: list[tuple[int, int]] = []

    def fold(self, done: int, total: int, metrics: Mapping[str, float]) -> None:
        self.folds.append((done, total))
        if done == self.at:
            self.stop.set()


@pytest.fixture
def uri(mlflow_template: Path, tmp_path: Path) -> str:
    return store(mlflow_template, tmp_path)


def artifact(uri: str, run: str, name: str) -> dict[str, Any]:
    from mlflow import MlflowClient

    path = MlflowClient(uri).download_artifacts(run, name)
    value: dict[str, Any] = json.loads(Path(path).read_text())
    return value


def test_folds_beside_the_final_model(uri: str, mlflow_template: Path, tmp_path: Path) -> None:
    observer = Watching(StopRequest())
    one = job(uri, tmp_path, **FOLDS, data=split())
    result, outcome = run_job(one, tmp_path / "w", observer, StopRequest())
    assert result.exit_code == 0, result
    assert observer.folds == [(n, 6) for n in range(1, 7)]
    assert observer.epochs == [1, 2, 3, 4]
    evaluation = artifact(uri, str(result.run_id), "evaluation.json")
    assert evaluation == outcome.evaluation
    assert [(f["repeat"], f["fold"]) for f in evaluation["folds"]] == [
        (r, f) for r in (1, 2) for f in (1, 2, 3)
    ]
    assert evaluation["oof"]["roc_auc"]["value"] == pytest.approx(result.metrics["oof_roc_auc"])
    assert result.metrics["oof_roc_auc"] > 0.97
    assert 0.0 < result.metrics["oof_roc_auc_std"] < 0.02
    data = prepare(load(one.data, tmp_path)[0], one.data)
    judged = len(data.rows.train) + len(data.rows.validation)
    assert sum(f["rows"] for f in evaluation["folds"]) == 2 * judged
    assert evaluation["rows"]["test"] == len(data.rows.test)

    stop = StopRequest()  # stopped after two folds, then gone on elsewhere: the same result
    (tmp_path / "again").mkdir()
    again = store(mlflow_template, tmp_path / "again")
    watching = Watching(stop, at=2)
    stopped, _ = run_job(
        job(again, tmp_path / "again", **FOLDS, data=split()), tmp_path / "w1", watching, stop
    )
    assert (stopped.exit_code, stopped.cause) == (143, "Stopped")
    assert "stopped in fold 3 of 6" in str(stopped.message)
    watching = Watching(StopRequest())
    second = job(again, tmp_path / "again", number=2, **FOLDS, data=split())
    resumed, _ = run_job(second, tmp_path / "w2", watching, StopRequest())
    assert watching.folds == [(n, 6) for n in range(3, 7)]
    assert {k: v for k, v in resumed.metrics.items() if k.startswith("oof_")} == {
        k: v for k, v in result.metrics.items() if k.startswith("oof_")
    }
    assert resumed.model_sha256 == result.model_sha256


def test_without_a_test_share_the_folds_are_the_result(uri: str, tmp_path: Path) -> None:
    parts = split(test=0.0, repeats=1)
    result, _ = run_job(job(uri, tmp_path, **FOLDS, data=parts), tmp_path / "w", Quiet(), StopRequest())
    assert result.exit_code == 0, result
    assert next(iter(result.metrics)).startswith("oof_")
    assert not any(name.startswith("test_") or name.endswith("_std") for name in result.metrics)


def test_out_of_fold_is_pooled_within_a_repeat(uri: str, tmp_path: Path) -> None:
    one = job(uri, tmp_path)
    data = prepare(load(one.data, tmp_path)[0], one.data)
    rng = np.random.default_rng(0)
    results, pooled = [], []
    for repeat in range(2):
        rows = rng.permutation(100)
        scores = rng.dirichlet([1.0, 1.0], 100)
        for fold, part in enumerate(np.split(np.arange(100), [40, 70])):
            at = 0.3 + 0.1 * fold
            results.append(FoldResult(repeat, fold, rows[part], scores[part], at, 1, 1, {}))
        at_row = np.repeat([0.3, 0.4, 0.5], [40, 30, 30])
        pooled.append(evaluate("Classification", scores, data.target.values[rows], None, at_row))
        assert (
            pooled[-1]["accuracy"]
            == (np.where(scores[:, 1] >= at_row, 1, 0) == data.target.values[rows]).mean()
        )
    found = out_of_fold(data, results)
    for name, item in found.items():
        values = [one[name] for one in pooled]
        assert item["value"] == pytest.approx(np.mean(values))
        assert item["std"] == pytest.approx(np.std(values, ddof=1))
    assert metrics_of({"oof": found})["oof_f1_std"] == found["f1"]["std"]
