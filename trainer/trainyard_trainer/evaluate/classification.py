"""Metrics of class probabilities, for many weightings of the rows at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.evaluate.ranking import Ranking
from trainyard_trainer.evaluate.sums import Floats, Integers, grouped, mean_where, ratio

Threshold = float | NDArray[np.float64] | None
_BINS = 15
_SMALLEST = float(np.finfo(np.float64).eps)


def decide(probabilities: Floats, threshold: Threshold) -> Integers:
    """Predicted class: the likeliest, or the second of two where its probability reaches the threshold."""
    if threshold is None:
        likeliest: Integers = probabilities.argmax(1)
        return likeliest
    return (probabilities[:, 1] >= threshold).astype(np.int64)


class Classified:
    """Rows with their probabilities, sorted and binned once; weightings come later."""

    def __init__(self, probabilities: Floats, target: Integers, threshold: Threshold) -> None:
        self.rows, self.classes = probabilities.shape
        self.target, self.predicted = target, decide(probabilities, threshold)
        chosen = probabilities[np.arange(self.rows), target]
        self.loss = -np.log(np.clip(chosen, _SMALLEST, 1.0))
        likeliest = probabilities.argmax(1)
        confidence = probabilities[np.arange(self.rows), likeliest]
        self.bins = np.clip(np.ceil(confidence * _BINS).astype(np.int64) - 1, 0, _BINS - 1)
        self.excess = confidence - (likeliest == target)
        ranked = [1] if self.classes == 2 else range(self.classes)
        self.rankings = [Ranking.of(probabilities[:, c], target == c) for c in ranked]

    def metrics(self, weights: Floats, areas: bool = True) -> dict[str, Floats]:
        """All metrics by name, (S, rows) -> (S,) each; `areas` are those that sort, the dearest."""
        total = weights.sum(1, dtype=np.float64)
        actual, predicted, hits = self.counts(weights)
        found = from_counts(actual, predicted, hits)
        if areas:
            roc, precision = zip(*(ranking.areas(weights) for ranking in self.rankings), strict=True)
            found["roc_auc"], found["pr_auc"] = _mean_of_defined(roc), _mean_of_defined(precision)
        found["log_loss"] = (weights @ self.loss.astype(weights.dtype)) / total
        # Guo et al. 2017: mean distance of confidence and accuracy over bins of equal width.
        found["ece"] = np.abs(grouped(weights, self.bins, _BINS, self.excess)).sum(1) / total
        return found

    def counts(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Weight of each class among the targets, among the predictions, and in both: (S, classes) each."""
        hit = (self.predicted == self.target).astype(weights.dtype)
        return (
            grouped(weights, self.target, self.classes),
            grouped(weights, self.predicted, self.classes),
            grouped(weights, self.target, self.classes, hit),
        )


def from_counts(actual: Floats, predicted: Floats, hits: Floats) -> dict[str, Floats]:
    """Metrics of decisions from each class's weights, (S, classes) -> (S,); 0 of what is never predicted."""
    total = actual.sum(1)
    by_class = of_each_class(actual, predicted, hits)
    seen = (actual > 0) | (predicted > 0)
    found = {
        "accuracy": hits.sum(1) / total,
        "balanced_accuracy": mean_where(by_class["recall"], actual > 0),
        "f1_macro": mean_where(by_class["f1"], seen),
        "f1_micro": hits.sum(1) / total,  # one label a row: what is false for one class is missed by another
    }
    if actual.shape[1] == 2:
        return found | {name: values[:, 1] for name, values in by_class.items()}
    return found | {name: mean_where(values, seen) for name, values in by_class.items() if name != "f1"}


def of_each_class(actual: Floats, predicted: Floats, hits: Floats) -> dict[str, Floats]:
    """Metrics of one class against the rest, (S, classes) each."""
    total = actual.sum(1, keepdims=True)
    others = total - predicted
    others = np.where(others > 1e-9 * total, others, 0.0)  # what rounding leaves of nothing is nothing
    return {
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, actual),
        "npv": ratio(others - (actual - hits), others),
        "f1": ratio(2 * hits, actual + predicted),
    }


def _mean_of_defined(areas: tuple[Floats, ...]) -> Floats:
    """A class without a row, or with all rows, has no area and does not count."""
    stacked: NDArray[np.float64] = np.stack(areas, axis=1)
    return mean_where(stacked, np.isfinite(stacked))
