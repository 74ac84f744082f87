"""The decision threshold of a binary classifier, chosen on validation rows alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.errors import InvalidSpec, closest
from trainyard_trainer.evaluate.classification import from_counts
from trainyard_trainer.evaluate.names import AT_THRESHOLD, maximised
from trainyard_trainer.evaluate.sums import Floats

DEFAULT_METRIC = "val_f1"
HALF = 0.5
_FIELD = "training.evaluation.thresholdMetric"


def check_metric(metric: str) -> str:
    """The metric's name without its part.

    Raises:
        InvalidSpec: It is none that a threshold decides.
    """
    name = metric.removeprefix("val_")
    if name not in AT_THRESHOLD or not metric.startswith("val_"):
        known = sorted(f"val_{known}" for known in AT_THRESHOLD)
        raise InvalidSpec(
            f"{_FIELD}: '{metric}' does not depend on a decision threshold; {closest(metric, known)}",
            f"correct {_FIELD}",
        )
    return name


def choose(
    probabilities: Floats, target: NDArray[np.int64], weights: NDArray[Any] | None, metric: str
) -> float:
    """The threshold at which `metric` (a validation metric) is best.

    Candidates lie half way between neighbouring probabilities, so that rows just beside one of validation are
    decided as it is. Of equally good ones the nearest to 0.5 is taken; without two classes 0.5 itself.

    Args:
        probabilities: Of the second, positive class, (rows,).
        target: 1 where positive.
        weights: Row weights, or None.
        metric: Such as `val_f1`.
    """
    name = check_metric(metric)
    weight = np.ones(len(target)) if weights is None else weights.astype(np.float64)
    if not len(target) or (target == target[0]).all():
        return HALF
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    positive = np.append(0.0, np.cumsum(weight[order] * (target[order] == 1))[ends])
    taken = np.append(0.0, np.cumsum(weight[order])[ends])
    values = _at_each(positive, taken, name)
    levels = ranked[ends]
    between = np.concatenate(([1.0], (levels[1:] + levels[:-1]) / 2.0, [0.0]))
    candidates = np.where(levels[0] >= 1.0, np.minimum(between, 1.0), between)
    best = values == (values.max() if maximised(name) else values.min())
    if levels[0] >= 1.0:
        best[0] = False  # rows at probability 1 are positive at any threshold
    chosen = candidates[best]
    return float(chosen[np.abs(chosen - HALF).argmin()])


def _at_each(positive: Floats, taken: Floats, name: str) -> Floats:
    """The metric when the first so many rows are called positive."""
    all_positive, total = positive[-1], taken[-1]
    predicted = np.stack([total - taken, taken], axis=1)
    actual = np.broadcast_to([total - all_positive, all_positive], predicted.shape)
    hits = np.stack([(total - all_positive) - (taken - positive), positive], axis=1)
    return from_counts(np.asarray(actual), predicted, hits)[name]
