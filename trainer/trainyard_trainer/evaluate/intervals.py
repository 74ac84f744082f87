"""Percentile bootstrap intervals over rows (Efron 1979)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.evaluate.judge import Judged

LEVEL = 0.95
_CHUNK = 500_000  # cells at a time: what fits into a cache
_WORK = 100_000_000  # rows x resamples
_AREA_WORK = 400_000_000
_FEWEST = 100


@dataclass(frozen=True, slots=True)
class Intervals:
    """Lower and upper bounds by metric, and from how many resamples."""

    samples: int
    bounds: dict[str, tuple[float, float]]


def bootstrap(judged: Judged, weights: NDArray[Any] | None, samples: int, seed: int) -> Intervals:
    """Draw rows with replacement `samples` times and take the middle 95 % of each metric.

    Rows times resamples are bounded: with very many rows fewer resamples are drawn, though not less than
    100, and the areas of very many classes have no interval. A metric undefined in more than half of the
    resamples has none either.
    """
    rows = judged.rows
    if not samples or rows < 2:
        return Intervals(0, {})
    wide = judged.width if judged.task == "Regression" or judged.width > 2 else 1
    samples = min(samples, max(_FEWEST, _WORK // (rows * wide)))
    areas = judged.task == "Classification" and samples * rows * wide <= _AREA_WORK
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // rows)
    parts: list[dict[str, NDArray[Any]]] = []
    for start in range(0, samples, step):
        drawn = _resample(rng, min(step, samples - start), rows)
        if weights is not None:
            drawn *= weights.astype(np.float32)
        parts.append(judged.values(drawn, areas))
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Intervals(samples, {name: b for name, values in found.items() if (b := _bounds(values))})


def _resample(rng: np.random.Generator, samples: int, rows: int) -> NDArray[np.float32]:
    """How often each row was drawn, (samples, rows)."""
    drawn = rng.integers(0, rows, (samples, rows))
    drawn += np.arange(samples)[:, None] * rows
    return np.bincount(drawn.ravel(), minlength=samples * rows).reshape(samples, rows).astype(np.float32)


def _bounds(values: NDArray[Any]) -> tuple[float, float] | None:
    defined = values[np.isfinite(values)]
    if 2 * len(defined) <= len(values):
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
