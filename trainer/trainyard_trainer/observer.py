"""What a training says while it runs: lines in a pod's log here, a live display on a laptop elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.fit.loop import Epoch


class Observer(Protocol):
    """Called from the training's thread; must be quick."""

    def stage(self, text: str) -> None:
        """Something that takes a moment begins."""
        ...

    def data(self, prepared: Prepared) -> None:
        """The data are read, split and encoded."""
        ...

    def begin(self, epochs: int, done: int) -> None:
        """Training begins after `done` epochs of an earlier attempt."""
        ...

    def epoch(self, epoch: Epoch, epochs: int, eta_seconds: float) -> None:
        """An epoch is over."""
        ...

    def fold(self, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """So many folds of a cross-validation are over; the metrics are the last one's."""
        ...


def summary(prepared: Prepared) -> str:
    """The data in one line."""
    schema, rows = prepared.schema, prepared.rows
    classes = f", {len(schema.classes)} classes" if schema.classes else ""
    targets = ", ".join(f"'{name}'" for name in schema.targets[:5])
    return (
        f"{len(rows.train)} training, {len(rows.validation)} validation and {len(rows.test)} test rows; "
        f"{len(schema.numeric)} numeric and {len(schema.categorical)} categorical columns; "
        f"{schema.task.lower()} of {targets}{' ...' if len(schema.targets) > 5 else ''}{classes}"
    )


class LogObserver:
    """Plain lines, at most one epoch in two seconds."""

    def __init__(self) -> None:
        self._last = 0.0

    def stage(self, text: str) -> None:
        """A line."""
        print(text, flush=True)

    def data(self, prepared: Prepared) -> None:
        """What was read, and what was left out of it."""
        for line in (summary(prepared), *prepared.notices):
            print(line, flush=True)

    def begin(self, epochs: int, done: int) -> None:
        """A line only when it is a resumption."""
        if done:
            print(f"resuming after epoch {done} of {epochs}", flush=True)

    def epoch(self, epoch: Epoch, epochs: int, eta_seconds: float) -> None:
        """Metrics of the epoch."""
        if epoch.number != epochs and time.monotonic() - self._last < 2.0:
            return
        self._last = time.monotonic()
        rate = epoch.rows / max(epoch.seconds, 1e-9)
        facts = f"{_values(epoch.metrics)} {rate:.0f} rows/s eta {eta_seconds:.0f} s"
        print(f"epoch {epoch.number}/{epochs} {facts}", flush=True)

    def fold(self, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """A line a fold, as rarely as epochs."""
        if done != total and time.monotonic() - self._last < 2.0:
            return
        self._last = time.monotonic()
        print(f"fold {done}/{total} {_values(metrics)}", flush=True)


def _values(metrics: Mapping[str, float]) -> str:
    return " ".join(f"{name}={value:.4g}" for name, value in metrics.items())
