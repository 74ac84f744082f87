"""The learning rate of every step: a function of the step's number, so that a resumed training has it again.

Only the plateau schedule has a memory, and that is kept with the checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainyard_trainer.fit.settings import ScheduleSettings

_START_DIVISOR, _END_DIVISOR = 25.0, 1e4  # torch's OneCycleLR: max / 25 -> max -> start / 10,000


@dataclass(slots=True)
class Schedule:
    """Learning rates of a training of `epochs` epochs of `steps` steps each."""

    settings: ScheduleSettings
    base: float
    steps: int
    epochs: int
    plateau: dict[str, Any] = field(default_factory=lambda: {"best": None, "waited": 0, "reductions": 0})

    def rate(self, epoch: int, step: int) -> float:
        """Learning rate of a step, both counted from 0."""
        number = epoch * self.steps + step
        warmup = self.settings.warmup_epochs * self.steps
        rising = min(1.0, (number + 1) / warmup) if warmup > 0 else 1.0
        return rising * self._shape(epoch, number, warmup)

    def _shape(self, epoch: int, number: int, warmup: float) -> float:
        total, settings = self.epochs * self.steps, self.settings
        match settings.name:
            case "step":
                return self.base * float(settings.factor ** (epoch // settings.every_epochs))
            case "cosine":
                done = max(0.0, number - warmup) / max(1.0, total - warmup)
                return _cosine(self.base, settings.min_learning_rate, done)
            case "one_cycle":
                return self._one_cycle(number, total)
            case "plateau":
                return self.base * float(settings.factor ** self.plateau["reductions"])
            case _:
                return self.base

    def _one_cycle(self, number: int, total: int) -> float:
        """As torch's OneCycleLR with cosines (Smith and Topin 2018); its start stands for the base."""
        peak = self.settings.max_learning_rate
        start = peak / _START_DIVISOR
        top = self.settings.rise_fraction * total - 1
        if top > 0.0 and number <= top:
            return _cosine(start, peak, number / top)
        return _cosine(peak, start / _END_DIVISOR, (number - top) / max(1e-9, total - 1 - top))

    def epoch_done(self, value: float, maximize: bool) -> None:
        """Count an epoch without a better value; the plateau schedule alone cares."""
        if self.settings.name != "plateau":
            return
        best = self.plateau["best"]
        if best is None or (value > best if maximize else value < best):
            self.plateau.update(best=value, waited=0)
            return
        self.plateau["waited"] += 1
        if self.plateau["waited"] >= self.settings.patience:
            self.plateau["waited"] = 0
            self.plateau["reductions"] += 1

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return dict(self.plateau)

    def load(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self.plateau = dict(state)


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1.0 + math.cos(math.pi * min(1.0, done))) / 2.0
