"""The training loop: data on the device, no loader, no sync inside an epoch.

Order and randomness of an epoch follow from the seed and the epoch's number alone, so a training that was
stopped and resumed at any step ends with the weights of one that was not. Of several processes (`group`) each
draws the same order and takes its own rows of every batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from trainyard_model import Loss, Network
from trainyard_trainer.errors import Defect, InvalidSpec, Stopped
from trainyard_trainer.fit.augment import Augment
from trainyard_trainer.fit.checkpoint import State
from trainyard_trainer.fit.feed import DevicePart, batches
from trainyard_trainer.fit.group import ALONE, Group, digest
from trainyard_trainer.fit.schedule import Schedule
from trainyard_trainer.fit.selection import Selection
from trainyard_trainer.fit.settings import FitSettings
from trainyard_trainer.fit.step import Stepper

Scorer = Callable[[Tensor, DevicePart], Mapping[str, float]]
"""Outputs for a part's rows in; metrics by full name out, `val_loss` among them."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What became known at the end of an epoch (the first is 1)."""

    number: int
    metrics: Mapping[str, float]
    seconds: float
    rows: int
    best: bool


class Hooks(Protocol):
    """What the loop tells, and asks, while it runs."""

    def stopping(self) -> bool:
        """Asked before every step; must be cheap."""
        ...

    def epoch_done(self, epoch: Epoch) -> bool | None:
        """After every epoch; True when it shall be the last."""
        ...

    def save(self, state: State, epoch: int) -> None:
        """Keep the state; `epoch` is the number of whole epochs in it."""
        ...

    def say(self, text: str) -> None:
        """Something that people should know."""
        ...


@dataclass(slots=True)
class _Position:
    """Where in the training we are."""

    epoch: int = 0
    step: int = 0
    loss_sum: Tensor = field(default_factory=lambda: torch.zeros(()))
    generator: Tensor | None = None


class Fitter:
    """One training. `run` returns when it is over; the network then has the chosen epoch's weights."""

    def __init__(
        self,
        network: Network,
        train: DevicePart,
        validation: DevicePart,
        loss: Loss,
        scorer: Scorer,
        selection: Selection,
        settings: FitSettings,
        group: Group = ALONE,
    ) -> None:
        self.group = group
        self.network, self.train, self.validation = network, train, validation
        self.scorer, self.selection, self.settings = scorer, selection, settings
        self.device = train.target.device
        self.share = network.batch_rows(min(settings.batch_size, len(train)) // group.size)
        self.batch = self.share * group.size
        if self.batch == 0:
            raise InvalidSpec(
                "training.batchSize: a batch has too few rows for this model"
                + (f" and {group.size} processes" if group.size > 1 else ", which normalises over 2 or more"),
                "raise training.batchSize" + (" or use fewer processes" if group.size > 1 else ""),
            )
        self.steps = len(train) // self.batch
        self.schedule = Schedule(
            settings.schedule, settings.optimizer.learning_rate, self.steps, settings.epochs
        )
        self.stepper = Stepper(network, loss, settings, self.device, group)
        self.augment = Augment(settings.augment, train.inputs[0]) if settings.augment else None
        self.at = _Position()
        self._generator: torch.Generator | None = None
        self._saved_at = time.monotonic()

    def run(self, hooks: Hooks) -> None:
        """Train to the last epoch or until validation stops getting better.

        Raises:
            Stopped: The hooks asked for it; the state has been saved.
            InvalidSpec: The loss is no number any more.
        """
        if self.settings.compile:
            self.stepper.compile(hooks.say)
        if self.group.size > 1 and not self.group.same(digest(self.network.state_dict())):
            raise Defect(
                "the processes begin with different weights", "use nodes with the same processors and image"
            )
        while self.at.epoch < self.settings.epochs and not self.selection.exhausted:
            started, first = time.monotonic(), self.at.step
            rate = self._train_epoch(hooks)
            rows = (self.steps - first) * self.batch
            metrics = {**self._metrics(), "learning_rate": rate}
            self._advance(metrics)
            best = self.selection.consider(self.at.epoch, metrics, self.network)
            epoch = Epoch(self.at.epoch, metrics, time.monotonic() - started, rows, best)
            if self.group.any(bool(hooks.epoch_done(epoch))):
                self.selection.finish()
            if self._save_due():
                self._save(hooks)
        self._save(hooks)
        self.selection.restore(self.network)

    def _train_epoch(self, hooks: Hooks) -> float:
        """All steps that are left of the epoch; the last learning rate comes back."""
        self.network.train()
        seed = epoch_seed(self.settings.seed, self.at.epoch)
        generator = torch.Generator(self.device).manual_seed(seed)
        order = self.train.order(self.batch, self.steps, generator)
        if self.at.generator is not None:
            generator.set_state(self.at.generator)
        self._generator = generator
        total = self.at.loss_sum = self.at.loss_sum.to(self.device)
        whole = order.view(self.steps, self.group.size, self.share)
        mine = whole[:, self.group.rank].flatten()
        rate = math.nan
        for step, batch in enumerate(
            batches(self.train, mine, self.share, self.at.step, self.steps), self.at.step
        ):
            self.at.step = step
            stop, save = self.group.agree(hooks.stopping(), self._save_due())
            if stop or save:
                self._settle()
                self._save(hooks)
            if stop:
                raise Stopped(f"stopped in epoch {self.at.epoch + 1} of {self.settings.epochs}, state saved")
            if (due := self.schedule.rate(self.at.epoch, step)) != rate:
                rate = due
                self.stepper.set_rate(rate)
            if self.group.size > 1:
                generator.manual_seed(step_seed(seed, step, self.group.rank))
                self.stepper.begin(*self.train.targets(whole[step].flatten()))
            if self.augment is not None:
                batch = self.augment(batch, generator)
            total += self.stepper(batch, generator)
        self._generator = None
        self._settle()
        return rate

    def _settle(self) -> None:
        """What the processes keep each for itself becomes the same in all."""
        self.network.settle()
        self.group.mean(self.at.loss_sum)

    def _advance(self, metrics: Mapping[str, float]) -> None:
        """Position after the epoch, and the schedule's memory of it."""
        self.at = _Position(epoch=self.at.epoch + 1)
        if self.selection.metric in metrics:
            self.schedule.epoch_done(metrics[self.selection.metric], self.selection.maximize)
        else:
            self.schedule.epoch_done(metrics["train_loss"], maximize=False)

    def _metrics(self) -> dict[str, float]:
        """The epoch's one sync: mean training loss, and validation, judged once for all processes."""
        metrics = {"train_loss": self.at.loss_sum.item() / self.steps}
        self._check_finite("loss", metrics["train_loss"])
        if len(self.validation):
            rows = self.group.part(len(self.validation))
            outputs = self.group.whole(self.outputs(self.validation, rows), len(self.validation))
            metrics |= self.group.share(lambda: dict(self.scorer(outputs, self.validation)))
            self._check_finite("validation loss", metrics["val_loss"])
        return metrics

    def _check_finite(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise InvalidSpec(
                f"training diverged: the {what} is {value} in epoch {self.at.epoch + 1}",
                f"lower training.optimizer.learningRate (now {self.settings.optimizer.learning_rate}) "
                "or set training.gradientClipping",
            )

    @torch.inference_mode()
    def outputs(self, part: DevicePart, rows: slice = slice(None)) -> Tensor:
        """What the network as it is now says to some rows of a part, (rows, outputs) in float32."""
        self.network.eval()
        return torch.cat([self.network.outputs(*inputs) for inputs in part.blocks(rows)])

    def _save_due(self) -> bool:
        """The first process alone looks at the clock."""
        return self.group.first and time.monotonic() - self._saved_at >= self.settings.checkpoint_seconds

    def _save(self, hooks: Hooks) -> None:
        if self.group.first:
            hooks.save(self.state(), self.at.epoch)
            self._saved_at = time.monotonic()

    def state(self) -> State:
        """Everything needed to go on from here."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.stepper.optimizer.state_dict(),
            "schedule": self.schedule.state(),
            "selection": self.selection.state(),
            "epoch": self.at.epoch,
            "step": self.at.step,
            "loss_sum": self.at.loss_sum,
            "generator": None if self._generator is None else self._generator.get_state(),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.network.load_state_dict(state["network"])
        self.stepper.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load(state["schedule"])
        self.selection.load(state["selection"])
        self.at = _Position(state["epoch"], state["step"], state["loss_sum"], state["generator"])


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed for each epoch that no other epoch of a nearby seed shares."""
    return (seed * 0x9E3779B97F4A7C15 + (epoch + 1) * 0xD1342543DE82EF95) % 2**63


def step_seed(seed: int, step: int, rank: int) -> int:
    """Of what a process draws in a step; another process, or step of the epoch, has another."""
    return (seed + (step * 4096 + rank + 1) * 0x9E3779B97F4A7C15) % 2**63
