"""Metrics of a set of rows, by name without the part's prefix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_model.schema import Task

Floats = NDArray[np.float64]
_CLIP = 1e-15

CLASSIFICATION = ("accuracy", "roc_auc", "log_loss")
REGRESSION = ("rmse", "mae", "r2")
_SMALLER_IS_BETTER = ("loss", "log_loss", "rmse", "mae")


def names(task: Task) -> tuple[str, ...]:
    """What `score` gives for a task."""
    return CLASSIFICATION if task == "Classification" else REGRESSION


def maximised(metric: str) -> bool:
    """Whether larger is better, by the metric's name with or without prefix."""
    return metric.partition("_")[2] not in _SMALLER_IS_BETTER and metric not in _SMALLER_IS_BETTER


def default_metric(task: Task, classes: int) -> str:
    """The validation metric that chooses the epoch where the specification is silent."""
    if task == "Regression":
        return "val_rmse"
    return "val_roc_auc" if classes == 2 else "val_accuracy"


def score(task: Task, scores: Floats, target: NDArray[Any], prefix: str) -> dict[str, float]:
    """All metrics of a task; one that is not defined on these rows (AUC of one class) is left out."""
    if task == "Classification":
        values = _classification(scores, target)
    else:
        values = _regression(scores, target.reshape(scores.shape))
    return {f"{prefix}_{name}": value for name, value in values.items() if np.isfinite(value)}


def _classification(probabilities: Floats, target: NDArray[np.int64]) -> dict[str, float]:
    chosen = probabilities[np.arange(len(target)), target]
    return {
        "accuracy": float((probabilities.argmax(1) == target).mean()),
        "roc_auc": _roc_auc(probabilities, target),
        "log_loss": float(-np.log(np.clip(chosen, _CLIP, 1.0)).mean()),
    }


def _roc_auc(probabilities: Floats, target: NDArray[np.int64]) -> float:
    """Area under the ROC curve; with more than two classes the mean of one against the rest."""
    if probabilities.shape[1] == 2:
        return binary_auc(probabilities[:, 1], target == 1)
    areas = [binary_auc(probabilities[:, c], target == c) for c in range(probabilities.shape[1])]
    defined = [area for area in areas if np.isfinite(area)]
    return float(np.mean(defined)) if defined else float("nan")


def binary_auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Share of (positive, negative) pairs in the right order, ties counting half; NaN with one class."""
    hits, misses = int(positive.sum()), int((~positive).sum())
    if hits == 0 or misses == 0:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    rank = (last - (counts - 1) / 2.0)[inverse]
    return float((rank[positive].sum() - hits * (hits + 1) / 2.0) / (hits * misses))


def _regression(predicted: Floats, target: Floats) -> dict[str, float]:
    """Means over the targets."""
    squares = (predicted - target) ** 2
    spread = ((target - target.mean(0)) ** 2).sum(0)
    explained = 1.0 - squares.sum(0) / np.where(spread > 0, spread, np.nan)
    return {
        "rmse": float(np.sqrt(squares.mean(0)).mean()),
        "mae": float(np.abs(predicted - target).mean()),
        "r2": float(explained.mean()),
    }
