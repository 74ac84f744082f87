"""What is known of a run; filled as it becomes known, so that a failure can tell it too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Outcome:
    """`metrics` by full name (`val_`, `test_`, `oof_`); `evaluation` is what evaluation.json holds."""

    experiment_id: str | None = None
    run_id: str | None = None
    model_uri: str | None = None
    model_sha256: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    data_digest: str | None = None
    holdout_digest: str | None = None
    rows: int | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    evaluation: dict[str, Any] | None = None
    peers_lost: bool = False
    """It ended because another process did; whoever started both knows more."""
