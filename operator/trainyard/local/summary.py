"""The metrics of a training as rows of a table: validation, out-of-fold, test with interval, baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_BASELINE, _MAJORITY = "test_baseline_", "test_majority_"
_PARTS = ("test_", "oof_", "val_")


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric, by name without its part."""

    name: str
    validation: float | None
    oof: float | None
    test: float | None
    interval: tuple[float, float] | None
    baseline: float | None
    majority: float | None


def metric_rows(metrics: Mapping[str, float], evaluation: Mapping[str, Any]) -> list[MetricRow]:
    """Rows in the order of the evaluation, those that were tested first; the training's own loss last."""
    tested = evaluation.get("test") or {}
    names = dict.fromkeys(
        name.partition("_")[2]
        for name in metrics
        if name.startswith(_PARTS)
        and not name.startswith((_BASELINE, _MAJORITY))
        and not name.endswith("_std")
    )
    ordered = sorted(names, key=lambda n: (n not in tested, n == "loss"))
    return [
        MetricRow(
            name,
            metrics.get(f"val_{name}"),
            metrics.get(f"oof_{name}"),
            metrics.get(f"test_{name}"),
            _interval(tested.get(name)),
            metrics.get(f"{_BASELINE}{name}"),
            metrics.get(f"{_MAJORITY}{name}"),
        )
        for name in ordered
    ]


def _interval(found: Any) -> tuple[float, float] | None:
    if not isinstance(found, dict) or found.get("low") is None or found.get("high") is None:
        return None
    return float(found["low"]), float(found["high"])
