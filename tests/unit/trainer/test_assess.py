"""What a finished model is told to be worth: by its package, with intervals, beside what is simple."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.trainer.jobs import Quiet, job, store
from trainyard_model import Predictor
from trainyard_trainer.assess import assess_baselines
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import Prepared, prepare
from trainyard_trainer.evaluate.baselines import constant_scores, fit_linear, sample
from trainyard_trainer.evaluate.names import names
from trainyard_trainer.evaluate.settings import EvaluationSettings
from trainyard_trainer.fit.feed import DevicePart
from trainyard_trainer.package.build import in_memory
from trainyard_trainer.runner import run_job
from trainyard_trainer.stop import StopRequest

SMALL: dict[str, Any] = {
    "model": {"tabnet": None, "mlp": {"layers": 1, "width": 8}},
    "training": {"epochs": 6, "evaluation": {"bootstrapSamples": 50}},
}


@pytest.fixture
def uri(mlflow_template: Path, tmp_path: Path) -> str:
    return store(mlflow_template, tmp_path)


def prepared(folder: Path, **changes: Any) -> Prepared:
    one = job("sqlite:///unused", folder, **changes)
    return prepare(load(one.data, folder)[0], one.data)


def linear(data: Prepared) -> Predictor:
    batch = sample(DevicePart(data.train, "cpu"), 0)
    network = fit_linear(data, batch, data.preprocessor.shape(), 0, lambda: False)
    return in_memory("mlp", network, data)


@pytest.mark.parametrize("sample", ["breast_cancer", "wine"])
def test_the_linear_classifier_is_sklearns(sample: str, tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    data = prepared(tmp_path, data={"source": {"uri": f"sample://{sample}"}})
    theirs = LogisticRegression(max_iter=1000, tol=1e-8).fit(data.train.inputs[0], data.train.target)
    numeric, _ = data.preprocessor.encode(data.raw(data.rows.test))
    ours = linear(data).scores(data.raw(data.rows.test))
    assert np.abs(ours - theirs.predict_proba(numeric)).max() < 1e-3


def test_the_linear_regression_is_sklearns(tmp_path: Path) -> None:
    from sklearn.linear_model import Ridge

    data = prepared(tmp_path, data={"source": {"uri": "sample://diabetes"}})
    theirs = Ridge(alpha=1.0).fit(data.train.inputs[0], data.train.target)
    numeric, _ = data.preprocessor.encode(data.raw(data.rows.test))
    expected = theirs.predict(numeric).reshape(-1, 1) * data.target_scales + data.target_means
    assert np.abs(linear(data).scores(data.raw(data.rows.test)) - expected).max() < 0.01


def test_the_constant_knows_the_training_rows_alone(tmp_path: Path) -> None:
    data = prepared(tmp_path)
    share = data.target.values[data.rows.train].mean()
    assert constant_scores(data, 3) == pytest.approx(np.tile([1 - share, share], (3, 1)))
    data = prepared(tmp_path, data={"source": {"uri": "sample://linnerud"}, "targets": ["Weight", "Waist"]})
    assert constant_scores(data, 1)[0] == pytest.approx(data.target_means)


def test_baselines_are_measured_like_the_model(tmp_path: Path) -> None:
    data = prepared(tmp_path)
    found = assess_baselines(data, DevicePart(data.train, "cpu"), EvaluationSettings(), lambda: False)
    measured = names("Classification", 2)
    assert set(found) == {f"test_{which}_{name}" for which in ("baseline", "majority") for name in measured}
    assert found["test_majority_roc_auc"] == 0.5
    assert found["test_majority_recall"] == 0.0
    assert found["test_baseline_roc_auc"] > 0.98


def logged(uri: str, run: str | None, name: str) -> dict[str, Any]:
    from mlflow import MlflowClient

    value: dict[str, Any] = json.loads(Path(MlflowClient(uri).download_artifacts(run, name)).read_text())
    return value


def test_a_run_tells_everything_and_baselines_are_fitted_once(uri: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    said: list[str] = []
    observer = Quiet()
    observer.stage = said.append  # type: ignore[method-assign]
    result, outcome = run_job(job(uri, tmp_path, **SMALL), tmp_path / "w", observer, StopRequest())
    assert result.exit_code == 0, result
    assert "fitting the linear baseline" in said
    document = logged(uri, result.run_id, "evaluation.json")
    assert document == outcome.evaluation
    package = json.loads((tmp_path / "w" / "package" / "package.json").read_text())
    assert document["threshold"] == package["threshold"]
    assert (document["metric"], document["thresholdMetric"]) == ("val_roc_auc", "val_f1")
    measured = set(names("Classification", 2))
    assert set(document["test"]) == set(document["validation"]) == measured
    assert set(document["baseline"]) == {"baseline", "majority"}
    for name, item in document["test"].items():
        assert result.metrics[f"test_{name}"] == item["value"]
        assert item["low"] <= item["high"]
    assert document["intervals"] == {"method": "percentile bootstrap", "level": 0.95, "samples": 50}
    assert [row["class"] for row in document["perClass"]] == ["benign", "malignant"]
    assert next(iter(result.metrics)).startswith("test_")
    importance = logged(uri, result.run_id, "importance.json")["importance"]
    assert sum(importance.values()) == pytest.approx(1.0)
    assert len(importance) == 30

    said.clear()
    again = job(uri, tmp_path, uid="uid-2", **{**SMALL, "model": {"tabnet": None, "mlp": {"layers": 0}}})
    second, _ = run_job(again, tmp_path / "w2", observer, StopRequest())
    assert "fitting the linear baseline" not in said
    for run in (result, second):
        metrics = MlflowClient(uri).get_run(run.run_id).data.metrics
        assert metrics["test_baseline_f1"] == result.metrics["test_baseline_f1"]
    other = job(uri, tmp_path, uid="uid-3", **SMALL, data={"split": {"test": 0.2, "validation": 0.1}})
    run_job(other, tmp_path / "w3", observer, StopRequest())
    assert "fitting the linear baseline" in said


def test_several_targets(uri: str, tmp_path: Path) -> None:
    data = {
        "source": {"uri": "sample://linnerud"},
        "targets": ["Weight", "Waist"],
        "split": {"validation": 0.2, "test": 0.3},
    }
    result, outcome = run_job(job(uri, tmp_path, **SMALL, data=data), tmp_path / "w", Quiet(), StopRequest())
    assert result.exit_code == 0, result
    assert outcome.evaluation is not None
    assert outcome.evaluation["threshold"] is None
    each = outcome.evaluation["perTarget"]
    assert [row["target"] for row in each] == ["Weight", "Waist"]
    assert result.metrics["test_rmse"] == pytest.approx(np.mean([row["rmse"] for row in each]))
    assert result.metrics["test_majority_rmse"] > 0.0


def test_no_validation_and_no_test_rows(uri: str, tmp_path: Path) -> None:
    parts = {"split": {"validation": 0.0, "test": 0.0}}
    result, outcome = run_job(job(uri, tmp_path, **SMALL, data=parts), tmp_path / "w", Quiet(), StopRequest())
    assert result.exit_code == 0, result
    assert result.metrics == {}
    assert outcome.evaluation is not None
    assert outcome.evaluation["threshold"] is None
    assert result.model_uri is not None
