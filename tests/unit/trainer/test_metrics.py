"""Our metrics are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics

from trainyard_trainer.evaluate import metrics


@pytest.mark.parametrize("classes", [2, 5])
def test_classification(classes: int) -> None:
    rng = np.random.default_rng(classes)
    scores = rng.dirichlet(np.ones(classes), 300).round(2) + 1e-9  # rounding makes ties
    scores /= scores.sum(1, keepdims=True)
    target = rng.integers(0, classes, 300)
    found = metrics.score("Classification", scores, target, "val")
    auc = sklearn.metrics.roc_auc_score(
        target, scores[:, 1] if classes == 2 else scores, multi_class="ovr", average="macro"
    )
    assert found == {
        "val_accuracy": pytest.approx(sklearn.metrics.accuracy_score(target, scores.argmax(1))),
        "val_roc_auc": pytest.approx(auc),
        "val_log_loss": pytest.approx(sklearn.metrics.log_loss(target, scores)),
    }


def test_regression() -> None:
    rng = np.random.default_rng(0)
    target, predicted = rng.normal(size=100), rng.normal(size=100)
    assert metrics.score("Regression", predicted[:, None], target, "test") == {
        "test_rmse": pytest.approx(sklearn.metrics.root_mean_squared_error(target, predicted)),
        "test_mae": pytest.approx(sklearn.metrics.mean_absolute_error(target, predicted)),
        "test_r2": pytest.approx(sklearn.metrics.r2_score(target, predicted)),
    }


def test_what_is_not_defined_is_left_out() -> None:
    one_class = metrics.score("Classification", np.array([[0.4, 0.6]]), np.array([1]), "val")
    assert sorted(one_class) == ["val_accuracy", "val_log_loss"]
    assert "val_r2" not in metrics.score("Regression", np.ones((2, 1)), np.ones(2), "val")


@pytest.mark.parametrize(
    ("name", "larger"),
    [
        ("val_roc_auc", True),
        ("val_loss", False),
        ("train_loss", False),
        ("val_log_loss", False),
        ("val_r2", True),
    ],
)
def test_directions(name: str, larger: bool) -> None:
    assert metrics.maximised(name) is larger
