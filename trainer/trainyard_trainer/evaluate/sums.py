"""Weighted sums over rows: what every metric is made of.

Metrics are written as functions of row weights with a leading axis, (S, rows) -> (S,). The value itself is
the case S = 1 with the rows' own weights; a bootstrap is the case of S resamples, where a row's weight is
how often it was drawn. So a value and its interval cannot come from different formulas.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]
_CELLS = 4_000_000  # of a dense one-hot block


def grouped(weights: Floats, labels: Integers, size: int, values: Floats | None = None) -> Floats:
    """Sum of weight (times value) by label: (S, rows) -> (S, size), in float64."""
    if len(weights) == 1:
        row = weights[0] if values is None else weights[0] * values
        return np.bincount(labels, row, minlength=size)[None].astype(np.float64)
    total = np.zeros((len(weights), size))
    step = max(1, _CELLS // size)
    for start in range(0, len(labels), step):
        part = labels[start : start + step]
        one_hot = np.zeros((len(part), size), dtype=weights.dtype)
        one_hot[np.arange(len(part)), part] = 1.0 if values is None else values[start : start + step]
        total += weights[:, start : start + step] @ one_hot
    return total


def ratio(above: Floats, below: Floats, empty: float = 0.0) -> Floats:
    """Above / below, and `empty` where there is nothing below."""
    some = below > 0
    return np.where(some, above / np.where(some, below, 1.0), empty)


def mean_where(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """Mean over the last axis of those counted; NaN where none is."""
    count = counted.sum(-1)
    total = np.where(counted, values, 0.0).sum(-1)
    return ratio(total, count.astype(np.float64), np.nan)
