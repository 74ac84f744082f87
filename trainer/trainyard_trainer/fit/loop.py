"""The training loop: data on the device, no loader, no sync inside an epoch.

Order and randomness of an epoch follow from the seed and the epoch's number alone, so a training that was
stopped and resumed at any step ends with the weights of one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from trainyard_model import Batch, Loss, Network
from trainyard_trainer.data.prepare import Part
from trainyard_trainer.errors import InvalidSpec, Stopped
from trainyard_trainer.fit.checkpoint import State
from trainyard_trainer.fit.optimizers import make_optimizer
from trainyard_trainer.fit.selection import Selection
from trainyard_trainer.fit.settings import FitSettings

_EVALUATION_ROWS = 16_384


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

    def epoch_done(self, epoch: Epoch) -> None:
        """After every epoch."""
        ...

    def save(self, state: State, epoch: int) -> None:
        """Keep the state; `epoch` is the number of whole epochs in it."""
        ...


@dataclass(slots=True)
class _Position:
    """Where in the training we are."""

    epoch: int = 0
    step: int = 0
    loss_sum: Tensor = field(default_factory=lambda: torch.zeros(()))
    generator: Tensor | None = None


class DevicePart:
    """A part's tensors on the device."""

    def __init__(self, part: Part, device: str) -> None:
        self.inputs = tuple(torch.from_numpy(values).to(device) for values in part.inputs)
        self.target = torch.from_numpy(part.target).to(device)
        self.weight = None if part.weight is None else torch.from_numpy(part.weight).to(device)

    def batch(self, rows: Tensor) -> Batch:
        """Some rows, in the order given."""
        return Batch(
            tuple(values.index_select(0, rows) for values in self.inputs),
            self.target.index_select(0, rows),
            None if self.weight is None else self.weight.index_select(0, rows),
        )

    def __len__(self) -> int:
        return len(self.target)


Scorer = Callable[[Tensor, DevicePart], Mapping[str, float]]


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
    ) -> None:
        self.network, self.train, self.validation = network, train, validation
        self.loss, self.scorer, self.selection, self.settings = loss, scorer, selection, settings
        self.device = train.target.device
        self.batch = network.batch_rows(min(settings.batch_size, len(train)))
        if self.batch == 0:
            raise InvalidSpec(
                "training.batchSize: this model normalises over a batch, which needs at least 2 rows",
                "raise training.batchSize",
            )
        self.steps = len(train) // self.batch
        self.optimizer = make_optimizer(network.parameters(), settings.optimizer)
        self.at = _Position()
        self._generator: torch.Generator | None = None
        self._saved_at = time.monotonic()

    def run(self, hooks: Hooks) -> None:
        """Train to the last epoch or until validation stops getting better.

        Raises:
            Stopped: The hooks asked for it; the state has been saved.
            InvalidSpec: The loss is no number any more.
        """
        while self.at.epoch < self.settings.epochs and not self.selection.exhausted:
            started, first = time.monotonic(), self.at.step
            self._train_epoch(hooks)
            rows = (self.steps - first) * self.batch
            metrics = self._metrics()
            self.at = _Position(epoch=self.at.epoch + 1)
            best = self.selection.consider(self.at.epoch, metrics, self.network)
            hooks.epoch_done(Epoch(self.at.epoch, metrics, time.monotonic() - started, rows, best))
            self._save_if_due(hooks)
        hooks.save(self.state(), self.at.epoch)
        self.selection.restore(self.network)

    def _train_epoch(self, hooks: Hooks) -> None:
        network = self.network.train()
        generator = torch.Generator(self.device).manual_seed(epoch_seed(self.settings.seed, self.at.epoch))
        order = torch.randperm(len(self.train), generator=generator, device=self.device)
        if self.at.generator is not None:
            generator.set_state(self.at.generator)
        self._generator = generator
        total = self.at.loss_sum.to(self.device)
        parameters = list(network.parameters())
        for step in range(self.at.step, self.steps):
            self.at.step, self.at.loss_sum = step, total
            if hooks.stopping():
                hooks.save(self.state(), self.at.epoch)
                raise Stopped(f"stopped in epoch {self.at.epoch + 1} of {self.settings.epochs}, state saved")
            self._save_if_due(hooks)
            rows = order[step * self.batch : (step + 1) * self.batch]
            self.optimizer.zero_grad(set_to_none=True)
            loss = network.backward(self.train.batch(rows), self.loss, generator)
            self._clip(parameters)
            self.optimizer.step()
            total = total + loss
        self.at.loss_sum, self._generator = total, None

    def _clip(self, parameters: list[torch.nn.Parameter]) -> None:
        if self.settings.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, self.settings.clip_norm)
        elif self.settings.clip_value is not None:
            torch.nn.utils.clip_grad_value_(parameters, self.settings.clip_value)

    def _metrics(self) -> dict[str, float]:
        """The epoch's one sync: mean training loss, and validation."""
        train_loss = self.at.loss_sum.item() / self.steps
        if not math.isfinite(train_loss):
            raise InvalidSpec(
                f"training diverged: the loss is {train_loss} in epoch {self.at.epoch + 1}",
                f"lower training.optimizer.learningRate (now {self.settings.optimizer.learning_rate}) "
                "or set training.gradientClipping",
            )
        return {"train_loss": train_loss, **self._metrics_of_validation()}

    def _metrics_of_validation(self) -> Mapping[str, float]:
        if not len(self.validation):
            return {}
        return self.scorer(self._outputs(self.validation), self.validation)

    @torch.inference_mode()
    def _outputs(self, part: DevicePart) -> Tensor:
        self.network.eval()
        return torch.cat(
            [
                self.network.outputs(*(values[start : start + _EVALUATION_ROWS] for values in part.inputs))
                for start in range(0, len(part), _EVALUATION_ROWS)
            ]
        )

    def _save_if_due(self, hooks: Hooks) -> None:
        if time.monotonic() - self._saved_at >= self.settings.checkpoint_seconds:
            hooks.save(self.state(), self.at.epoch)
            self._saved_at = time.monotonic()

    def state(self) -> State:
        """Everything needed to go on from here."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "selection": self.selection.state(),
            "epoch": self.at.epoch,
            "step": self.at.step,
            "loss_sum": self.at.loss_sum,
            "generator": None if self._generator is None else self._generator.get_state(),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.selection.load(state["selection"])
        self.at = _Position(state["epoch"], state["step"], state["loss_sum"], state["generator"])


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed for each epoch that no other epoch of a nearby seed shares."""
    return (seed * 0x9E3779B97F4A7C15 + (epoch + 1) * 0xD1342543DE82EF95) % 2**63
