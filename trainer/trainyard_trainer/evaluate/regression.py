"""Metrics of predicted values, for many weightings of the rows at once."""

from __future__ import annotations

import numpy as np

from trainyard_trainer.evaluate.sums import Floats, ratio


class Predicted:
    """Rows with predicted and true values, (rows, targets) each, in the targets' own units."""

    def __init__(self, predicted: Floats, target: Floats) -> None:
        error = predicted - target
        self.square, self.distance = error**2, np.abs(error)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.relative = self.distance / np.abs(target)
        self.undefined = (target == 0).any(0)
        # Shifted, because sums of squares of far values would lose the digits that differ.
        self.shifted = target - target.mean(0)

    def metrics(self, weights: Floats) -> dict[str, Floats]:
        """All metrics by name, (S, rows) -> (S, targets) each.

        `r2` is NaN where the target does not vary, `mape` where a true value is 0.
        """
        total = weights.sum(1, dtype=np.float64)[:, None]
        square = _sum(weights, self.square)
        spread = _sum(weights, self.shifted**2) - _sum(weights, self.shifted) ** 2 / total
        defined = spread > 1e-12 * total * np.maximum(self.shifted.var(0), 1e-300)
        relative = np.where(self.undefined, 0.0, self.relative)
        return {
            "rmse": np.sqrt(square / total),
            "mae": _sum(weights, self.distance) / total,
            "r2": 1.0 - ratio(square, np.where(defined, spread, 0.0), np.nan),
            "mape": np.where(self.undefined, np.nan, _sum(weights, relative) / total),
        }


def _sum(weights: Floats, values: Floats) -> Floats:
    return (weights @ values.astype(weights.dtype)).astype(np.float64)
