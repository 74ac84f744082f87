"""Our metrics are scikit-learn's, weighted or not, and their intervals are those of the bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from numpy.typing import NDArray

from trainyard_trainer.errors import InvalidSpec
from trainyard_trainer.evaluate import intervals, judge, names, threshold
from trainyard_trainer.evaluate.intervals import bootstrap
from trainyard_trainer.evaluate.judge import Judged, evaluate

EQUAL = 1e-9


def rows(
    classes: int, count: int = 300, ties: bool = True
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Probabilities, classes and weights; rounding makes ties."""
    rng = np.random.default_rng(classes + count)
    scores = rng.dirichlet(np.ones(classes), count)
    if ties:
        scores = scores.round(2) + 1e-9
        scores /= scores.sum(1, keepdims=True)
    return scores, rng.integers(0, classes, count), rng.uniform(0.0, 3.0, count)


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("at", [None, 0.3], ids=["likeliest", "at-0.3"])
def test_binary(at: float | None, weighted: bool) -> None:
    scores, target, weights = rows(2)
    weight = weights if weighted else None
    predicted = scores.argmax(1) if at is None else (scores[:, 1] >= at).astype(int)
    kw = {"sample_weight": weight}
    assert evaluate("Classification", scores, target, weight, at) == {
        "accuracy": pytest.approx(sk.accuracy_score(target, predicted, **kw), abs=EQUAL),
        "balanced_accuracy": pytest.approx(sk.balanced_accuracy_score(target, predicted, **kw), abs=EQUAL),
        "f1": pytest.approx(sk.f1_score(target, predicted, **kw), abs=EQUAL),
        "f1_macro": pytest.approx(sk.f1_score(target, predicted, average="macro", **kw), abs=EQUAL),
        "f1_micro": pytest.approx(sk.f1_score(target, predicted, average="micro", **kw), abs=EQUAL),
        "precision": pytest.approx(sk.precision_score(target, predicted, **kw), abs=EQUAL),
        "recall": pytest.approx(sk.recall_score(target, predicted, **kw), abs=EQUAL),
        "npv": pytest.approx(sk.precision_score(target, predicted, pos_label=0, **kw), abs=EQUAL),
        "roc_auc": pytest.approx(sk.roc_auc_score(target, scores[:, 1], **kw), abs=EQUAL),
        "pr_auc": pytest.approx(sk.average_precision_score(target, scores[:, 1], **kw), abs=EQUAL),
        "log_loss": pytest.approx(sk.log_loss(target, scores, **kw), abs=EQUAL),
        "ece": pytest.approx(calibration_error(scores, target, weight), abs=EQUAL),
    }


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
def test_several_classes(ties: bool, weighted: bool) -> None:
    scores, target, weights = rows(5, ties=ties)
    weight = weights if weighted else None
    predicted = scores.argmax(1)
    kw: dict[str, Any] = {"sample_weight": weight}
    macro = {"average": "macro", "zero_division": 0, **kw}
    one_hot = np.eye(5)[target]
    npv = [sk.precision_score(target != c, predicted != c, **kw) for c in range(5)]
    assert evaluate("Classification", scores, target, weight) == {
        "accuracy": pytest.approx(sk.accuracy_score(target, predicted, **kw), abs=EQUAL),
        "balanced_accuracy": pytest.approx(sk.balanced_accuracy_score(target, predicted, **kw), abs=EQUAL),
        "f1_macro": pytest.approx(sk.f1_score(target, predicted, **macro), abs=EQUAL),
        "f1_micro": pytest.approx(sk.f1_score(target, predicted, average="micro", **kw), abs=EQUAL),
        "precision": pytest.approx(sk.precision_score(target, predicted, **macro), abs=EQUAL),
        "recall": pytest.approx(sk.recall_score(target, predicted, **macro), abs=EQUAL),
        "npv": pytest.approx(np.mean(npv), abs=EQUAL),
        "roc_auc": pytest.approx(sk.roc_auc_score(target, scores, multi_class="ovr", **kw), abs=EQUAL),
        "pr_auc": pytest.approx(sk.average_precision_score(one_hot, scores, **kw), abs=EQUAL),
        "log_loss": pytest.approx(sk.log_loss(target, scores, **kw), abs=EQUAL),
        "ece": pytest.approx(calibration_error(scores, target, weight), abs=EQUAL),
    }


def calibration_error(scores: NDArray[Any], target: NDArray[Any], weight: NDArray[Any] | None) -> float:
    """By the definition: 15 bins (low, high] of the likeliest class's probability."""
    weights = np.ones(len(target)) if weight is None else weight
    confidence, right = scores.max(1), scores.argmax(1) == target
    error = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            w = weights[inside]
            gap = np.average(confidence[inside], weights=w) - np.average(right[inside], weights=w)
            error += w.sum() / weights.sum() * abs(gap)
    return error


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("targets", [1, 3])
def test_regression(targets: int, weighted: bool) -> None:
    rng = np.random.default_rng(targets)
    truth = rng.normal(1e3, 1.0, (100, targets))
    predicted = truth + rng.normal(size=truth.shape)
    weight = rng.uniform(0.0, 3.0, 100) if weighted else None
    kw = {"sample_weight": weight}
    assert evaluate("Regression", predicted, truth, weight) == {
        "rmse": pytest.approx(sk.root_mean_squared_error(truth, predicted, **kw), abs=EQUAL),
        "mae": pytest.approx(sk.mean_absolute_error(truth, predicted, **kw), abs=EQUAL),
        "r2": pytest.approx(sk.r2_score(truth, predicted, **kw), abs=EQUAL),
        "mape": pytest.approx(sk.mean_absolute_percentage_error(truth, predicted, **kw), abs=EQUAL),
    }
    each = Judged("Regression", predicted, truth).per_target([f"t{i}" for i in range(targets)], weight)
    assert [row["rmse"] for row in each] == pytest.approx(
        sk.root_mean_squared_error(truth, predicted, multioutput="raw_values", **kw)
    )


def test_each_class() -> None:
    scores, target, weights = rows(4)
    predicted = scores.argmax(1)
    table = Judged("Classification", scores, target).per_class(["a", "b", "c", "d"], weights)
    precision, recall, f1, _ = sk.precision_recall_fscore_support(target, predicted, sample_weight=weights)
    assert [row["class"] for row in table] == ["a", "b", "c", "d"]
    assert sum(row["rows"] for row in table) == 300
    assert [row["precision"] for row in table] == pytest.approx(list(precision))
    assert [row["recall"] for row in table] == pytest.approx(list(recall))
    assert [row["f1"] for row in table] == pytest.approx(list(f1))
    auc = [sk.roc_auc_score(target == c, scores[:, c], sample_weight=weights) for c in range(4)]
    assert [row["roc_auc"] for row in table] == pytest.approx(auc)


def test_what_is_not_defined_is_left_out() -> None:
    one_class = evaluate("Classification", np.array([[0.4, 0.6]]), np.array([1]))
    assert set(names.CLASSIFICATION) - set(one_class) == {"roc_auc", "pr_auc"}
    constant = evaluate("Regression", np.ones((2, 1)), np.array([3.0, 3.0]))
    assert set(names.REGRESSION) - set(constant) == {"r2"}
    assert "mape" not in evaluate("Regression", np.ones((2, 1)), np.array([0.0, 3.0]))


def test_no_prediction_of_the_positive_class_is_a_precision_of_zero() -> None:
    found = evaluate("Classification", np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]))
    assert (found["precision"], found["recall"], found["f1"]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "larger"),
    [
        ("val_roc_auc", True),
        ("val_loss", False),
        ("train_loss", False),
        ("val_log_loss", False),
        ("test_baseline_log_loss", False),
        ("val_ece", False),
        ("test_mape", False),
        ("oof_r2", True),
        ("npv", True),
        ("val_something_of_mine", True),
    ],
)
def test_directions(name: str, larger: bool) -> None:
    assert names.maximised(name) is larger


def test_every_name_is_measured() -> None:
    for classes in (2, 3):
        scores, target, _ = rows(classes)
        assert tuple(evaluate("Classification", scores, target)) == names.names("Classification", classes)
    found = evaluate("Regression", np.array([[1.0], [2.0]]), np.array([1.5, 2.5]))
    assert tuple(found) == names.names("Regression", 0)


@pytest.mark.parametrize("metric", ["f1", "accuracy", "balanced_accuracy", "f1_macro", "npv"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
def test_no_threshold_beats_the_chosen_one(metric: str, weighted: bool) -> None:
    scores, target, weights = rows(2, 80)
    weight = weights if weighted else None
    chosen = threshold.choose(scores[:, 1], target, weight, f"val_{metric}")
    value = evaluate("Classification", scores, target, weight, chosen)[metric]
    every = [
        evaluate("Classification", scores, target, weight, at)[metric]
        for at in (0.0, *scores[:, 1], *(scores[:, 1] + 1e-6))
    ]
    assert value == pytest.approx(max(every), abs=EQUAL)


def test_of_equal_thresholds_the_middle_one() -> None:
    assert threshold.choose(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]), None, "val_f1") == 0.5
    assert threshold.choose(np.array([0.1, 0.2]), np.array([1, 1]), None, "val_f1") == 0.5
    assert threshold.choose(np.array([1.0, 1.0]), np.array([0, 1]), None, "val_accuracy") < 1.0


@pytest.mark.parametrize("metric", ["val_roc_auc", "val_log_loss", "test_f1", "f1"])
def test_only_a_validation_metric_of_decisions_chooses(metric: str) -> None:
    with pytest.raises(InvalidSpec, match=f"thresholdMetric: '{metric}' does not depend on a decision"):
        threshold.check_metric(metric)


def test_intervals_are_those_of_resampled_rows() -> None:
    """Against the bootstrap as anybody would write it, with the same draws."""
    scores, target, weights = rows(2, 60)
    found = bootstrap(Judged("Classification", scores, target, 0.4), weights, 200, seed=3)
    rng = np.random.default_rng(3)
    plain: dict[str, list[float]] = {}
    for drawn in rng.integers(0, 60, (200, 60)):
        one = evaluate("Classification", scores[drawn], target[drawn], weights[drawn], 0.4)
        for name, value in one.items():
            plain.setdefault(name, []).append(value)
    assert found.samples == 200
    assert set(found.bounds) == set(plain)
    for name, (low, high) in found.bounds.items():
        assert (low, high) == pytest.approx(tuple(np.quantile(plain[name], [0.025, 0.975])), abs=1e-5), name


def test_intervals_cover() -> None:
    """Of 100 samples of rows about 95 intervals hold the truth; 85 or fewer would be one in 20,000."""
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(100):
        truth = rng.normal(size=(200, 1))
        predicted = truth + rng.normal(size=(200, 1))
        low, high = bootstrap(Judged("Regression", predicted, truth), None, 200, trial).bounds["rmse"]
        held += low <= 1.0 <= high
    assert held > 85


def test_intervals_are_seeded_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, target, _ = rows(3, 100)
    judged = Judged("Classification", scores, target)
    assert bootstrap(judged, None, 50, 1) == bootstrap(judged, None, 50, 1)
    assert bootstrap(judged, None, 50, 1) != bootstrap(judged, None, 50, 2)
    assert bootstrap(judged, None, 0, 1).bounds == {}
    monkeypatch.setattr(intervals, "_WORK", 60_000)
    monkeypatch.setattr(intervals, "_AREA_WORK", 10_000)
    many = bootstrap(judged, None, 1000, 1)
    assert many.samples == 200
    assert "roc_auc" not in many.bounds
    assert "f1_macro" in many.bounds


def test_a_metric_seldom_defined_has_no_interval() -> None:
    scores = np.array([[0.5, 0.5]] * 9 + [[0.4, 0.6]])
    found = bootstrap(Judged("Classification", scores, np.array([0] * 9 + [1])), None, 100, 0)
    assert "accuracy" in found.bounds
    assert "roc_auc" in found.bounds  # in 65 % of the resamples the one positive row is there
    scores, target = scores[:3], np.array([0, 0, 0])
    assert "roc_auc" not in bootstrap(Judged("Classification", scores, target), None, 100, 0).bounds


def test_names_with_their_part() -> None:
    assert judge.prefixed("oof", {"f1": 0.5}) == {"oof_f1": 0.5}
