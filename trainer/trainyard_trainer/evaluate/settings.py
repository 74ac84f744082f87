"""What the evaluation needs to know, in its own words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How the finished model is judged."""

    bootstrap_samples: int = 1000
    baseline: bool = True
    threshold_metric: str = "val_f1"
    seed: int = 0
