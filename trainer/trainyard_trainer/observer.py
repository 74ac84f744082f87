"""What a training says while it runs: lines in a pod's log here, a live display on a laptop elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from typing_extensions import override

from trainyard_model import Shape
from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.evaluate.names import default_metric
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
        f"{_inputs(prepared.preprocessor.shape())}; "
        f"{schema.task.lower()} of {targets}{' ...' if len(schema.targets) > 5 else ''}{classes}"
    )


def _inputs(shape: Shape) -> str:
    """What the model reads."""
    if (image := shape.image) is not None:
        return f"images of {image.height} x {image.width} pixels, {image.channels} channel(s)"
    if (text := shape.text) is not None:
        return f"texts of up to {text.length} tokens, {text.vocabulary:,} of them known"
    return f"{shape.numeric} numeric and {len(shape.cardinalities)} categorical columns"


class Headline:
    """The one metric worth showing while it trains, the one that chooses the epoch: now, and at its best.

    Args:
        metric: What the specification names; by the task where it is silent.
    """

    def __init__(self, metric: str | None) -> None:
        self._metric, self._best = metric, ""
        self.training_seconds = 0.0

    def data(self, prepared: Prepared) -> None:
        """The task is known from here on."""
        target = prepared.target
        self._metric = self._metric or default_metric(target.task, len(target.classes))

    def epoch(self, epoch: Epoch) -> str:
        """The metric after an epoch, in words."""
        self.training_seconds += epoch.seconds
        name = self._metric if self._metric and self._metric in epoch.metrics else "train_loss"
        value = epoch.metrics[name]
        if epoch.best and name == self._metric:
            self._best = f", best {value:.4f} (epoch {epoch.number})"
        return f"{name} {value:.4f}{self._best}"

    def fold(self, metrics: Mapping[str, float]) -> str:
        """The same metric of one fold, which has no part in its name."""
        name = (self._metric or "").partition("_")[2]
        shown = name if name in metrics else next(iter(metrics))
        return f"{shown} {metrics[shown]:.4f}"


class LogObserver:
    """Plain lines, at most one epoch in two seconds."""

    def __init__(self, metric: str | None = None) -> None:
        self.headline = Headline(metric)
        self._last = 0.0

    def stage(self, text: str) -> None:
        """A line."""
        print(text, flush=True)

    def data(self, prepared: Prepared) -> None:
        """What was read, and what was left out of it."""
        self.headline.data(prepared)
        for line in (summary(prepared), *prepared.notices):
            print(line, flush=True)

    def begin(self, epochs: int, done: int) -> None:
        """A line only when it is a resumption."""
        if done:
            print(f"resuming after epoch {done} of {epochs}", flush=True)

    def epoch(self, epoch: Epoch, epochs: int, eta_seconds: float) -> None:
        """The metric, how fast, and how long still."""
        headline = self.headline.epoch(epoch)
        if epoch.number != epochs and time.monotonic() - self._last < 2.0:
            return
        self._last = time.monotonic()
        rate = epoch.rows / max(epoch.seconds, 1e-9)
        pace = f"{rate:.0f} rows/s, {eta_seconds:.0f} s left"
        print(f"epoch {epoch.number}/{epochs}: {headline}; {pace}", flush=True)

    def fold(self, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """A line a fold, as rarely as epochs."""
        if done != total and time.monotonic() - self._last < 2.0:
            return
        self._last = time.monotonic()
        print(f"fold {done}/{total}: {self.headline.fold(metrics)}", flush=True)


class Mute(LogObserver):
    """Nothing at all."""

    @override
    def stage(self, text: str) -> None:
        """Nothing."""

    @override
    def data(self, prepared: Prepared) -> None:
        """Nothing."""

    @override
    def begin(self, epochs: int, done: int) -> None:
        """Nothing."""

    @override
    def epoch(self, epoch: Epoch, epochs: int, eta_seconds: float) -> None:
        """Only the time."""
        self.headline.epoch(epoch)

    @override
    def fold(self, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Nothing."""
