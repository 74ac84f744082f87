"""The estimators keep scikit-learn's contract, and are the trainer's own stages behind it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import sklearn.datasets
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import trainyard
from trainyard.errors import DataError, InvalidSpec, TrainyardError

QUICK: dict[str, Any] = {"batch_size": 32, "random_state": 0}
TABNET: dict[str, Any] = {**QUICK, "n_d": 4, "n_a": 4, "n_steps": 2, "momentum": 0.3}
MLP: dict[str, Any] = {**QUICK, "layers": 1, "width": 16, "learning_rate": 0.02}

WEIGHTS = (
    "a weight scales a row's loss, while a repeated row also changes the batches, their order and, in "
    "TabNet, the batch's statistics: the two are equal in expectation only"
)
ROUNDING = (
    "networks compute in float32, and sums over batches of other sizes differ in the last digits; "
    "the check allows 1e-7"
)


def allowed_to_fail(estimator: object) -> dict[str, str]:
    """Checks that cannot hold for a network trained in batches, and why."""
    return {
        "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
        "check_methods_subset_invariance": ROUNDING,
    }


@parametrize_with_checks(
    [
        trainyard.TabNetClassifier(epochs=4, **{**TABNET, "learning_rate": 0.1}),
        trainyard.MLPRegressor(epochs=10, **MLP),
    ],
    expected_failed_checks=allowed_to_fail,
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    """Each kind and each family once: the other two are the same code in the other combination."""
    check(estimator)


@pytest.fixture(scope="module")
def people() -> tuple[pandas.DataFrame, np.ndarray[Any, Any]]:
    """Numbers, categories, gaps; the answer is in `job` for some and in `age` for the others."""
    draw = np.random.default_rng(0)
    job = draw.choice(["nurse", "clerk", "pilot"], 300)
    age = draw.uniform(20, 60, 300)
    y = np.where((job == "pilot") | (age > 50), "yes", "no")
    age[draw.uniform(size=300) < 0.05] = np.nan
    frame = pandas.DataFrame({"age": age, "job": job, "shoe": draw.normal(size=300)})
    frame.loc[draw.uniform(size=300) < 0.05, "job"] = None
    return frame, y


@pytest.mark.parametrize(
    ("kind", "settings"),
    [(trainyard.TabNetClassifier, {**TABNET, "learning_rate": 0.05}), (trainyard.MLPClassifier, MLP)],
)
def test_gaps_and_categories_are_taken_as_they_come(
    kind: Any, settings: dict[str, Any], people: tuple[pandas.DataFrame, np.ndarray[Any, Any]]
) -> None:
    X, y = people
    model = kind(epochs=30, **settings).fit(X, y)
    assert model.score(X, y) > 0.85
    assert list(model.classes_) == ["no", "yes"]
    shares = dict(zip(model.feature_names_in_, model.feature_importances_, strict=True))
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["shoe"] == min(shares.values())
    stranger = pandas.DataFrame({"age": [30.0, None], "job": ["sailor", None], "shoe": [0, 1]}, index=[7, 9])
    assert np.isfinite(model.predict_proba(stranger)).all()
    explained = model.explain(stranger)
    assert list(explained.index) == [7, 9]
    assert set(explained) == {"age", "job", "shoe"}


def test_early_stopping_keeps_the_best_epoch(people: tuple[pandas.DataFrame, np.ndarray[Any, Any]]) -> None:
    X, y = people
    settings = {**MLP, "learning_rate": 0.2}
    model = trainyard.MLPClassifier(epochs=200, early_stopping=True, patience=3, **settings).fit(X, y)
    assert len(model.history_) < 200
    area = [epoch["val_roc_auc"] for epoch in model.history_]
    assert area[model.n_iter_ - 1] == max(area)
    assert len(model.history_) >= model.n_iter_


def test_several_targets(tmp_path: Path) -> None:
    X, y = sklearn.datasets.make_regression(200, 5, n_targets=2, random_state=0)
    targets = pandas.DataFrame(y, columns=["left", "right"])
    model = trainyard.MLPRegressor(epochs=30, **MLP).fit(X, targets)
    assert model.predict(X).shape == (200, 2)
    assert model.score(X, y) > 0.8
    loaded = trainyard.load(model.save(tmp_path / "model"))
    frame = pandas.DataFrame(X, columns=[f"x{i}" for i in range(5)])
    answers = loaded.predict(frame)
    assert list(answers) == ["prediction_left", "prediction_right"]
    np.testing.assert_array_equal(answers.to_numpy(), model.predict(X))


def test_categories_that_are_numbers() -> None:
    draw = np.random.default_rng(1)
    X = draw.integers(0, 8, (400, 2))
    y = np.isin(X[:, 0], (1, 4, 6)).astype(int)
    settings = {**MLP, "layers": 0, "learning_rate": 0.1}
    plain = trainyard.MLPClassifier(epochs=15, **settings).fit(X, y)
    told = trainyard.MLPClassifier(epochs=15, categorical_features=[0], **settings).fit(X, y)
    assert told.score(X, y) > 0.95 > plain.score(X, y)


def test_the_same_seed_is_the_same_model_and_leaves_no_trace_in_torch() -> None:
    X, y = sklearn.datasets.load_wine(return_X_y=True)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    one = trainyard.TabNetClassifier(epochs=2, **TABNET).fit(X, y)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    two = clone(one).fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(one)).predict_proba(X), one.predict_proba(X))


def test_searches_and_pipelines_take_them() -> None:
    X, y = sklearn.datasets.load_iris(return_X_y=True)
    pipeline = make_pipeline(FunctionTransformer(), trainyard.MLPClassifier(epochs=3, **MLP))
    grid = {"mlpclassifier__layers": np.array([0, 1]), "mlpclassifier__class_weight": ["balanced"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 2


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"n_steps": 0}, "nSteps: Input should be greater than or equal to 1"),
        ({"optimizer": "adamm"}, "optimizer.name"),
        ({"class_weight": "equal"}, "class_weight must be"),
        ({"class_weight": {3: 2.0}}, "no class '3'"),
    ],
)
def test_parameters_that_cannot_be(parameters: dict[str, Any], says: str) -> None:
    X, y = sklearn.datasets.load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=says):
        trainyard.TabNetClassifier(epochs=1, **parameters).fit(X, y)


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    X = np.array([[1.0, np.inf], [2.0, 0.0], [3.0, 1.0], [4.0, 2.0]])
    with pytest.raises(DataError, match=r"column 'x1', row 1: infinite value\n  what to do: ") as caught:
        trainyard.MLPRegressor(epochs=1).fit(X, X[:, 0])
    assert isinstance(caught.value, TrainyardError)
    model = trainyard.MLPRegressor(epochs=1, **MLP).fit(np.nan_to_num(X, posinf=0.0), X[:, 0])
    (tmp_path / "something").write_text("")
    with pytest.raises(InvalidSpec, match="is not empty"):
        model.save(tmp_path)
