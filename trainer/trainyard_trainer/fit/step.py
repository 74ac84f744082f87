"""One step of the optimiser: gradients of a batch, bounded, applied. Nothing in it waits for the device."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from trainyard_model import Batch, Loss, Network
from trainyard_trainer.fit.group import ALONE, Group, SharedLoss
from trainyard_trainer.fit.optimizers import make_optimizer
from trainyard_trainer.fit.settings import FitSettings


class Stepper:
    """The network with its optimiser and numerics."""

    def __init__(
        self,
        network: Network,
        loss: Loss,
        settings: FitSettings,
        device: torch.device,
        group: Group = ALONE,
    ) -> None:
        self.network, self.settings, self.device, self.group = network, settings, device, group
        self._shared = SharedLoss(loss, group.size)
        self.loss: Loss = loss if group.size == 1 else self._shared
        self.parameters = list(network.parameters())
        self.optimizer = make_optimizer(self.parameters, settings.optimizer)
        self._backward = network.backward

    def compile(self, say: Callable[[str], None]) -> None:
        """Steps by torch.compile from now on; where that fails, as they were, with a notice.

        Only the training's loss and its gradients: evaluation and explanations run a few times an epoch and
        would have to be compiled for shapes of their own.
        """
        if not self.network.compiles:
            say("training.compile: not used, as this family's steps are one function already")
            return
        torch.use_deterministic_algorithms(self.settings.deterministic)  # the compiler wants to know it too
        fast = torch.compile(self.network.training_loss)

        def backward(batch: Batch, loss: Loss, generator: torch.Generator) -> Tensor:
            try:
                value: Tensor = fast(batch, loss, generator)
            except torch._dynamo.exc.TorchDynamoException as error:
                reason = str(error).strip().partition("\n")[0]
                say(f"training.compile: torch.compile failed, training goes on without it: {reason:.300}")
                self._backward = self.network.backward
                return self._backward(batch, loss, generator)
            value.backward()  # type: ignore[no-untyped-call]
            return value.detach()

        self._backward = backward

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next steps."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def begin(self, target: Tensor, weight: Tensor | None) -> None:
        """Of several processes: the targets and weights of all rows of the next step's batch."""
        self._shared.begin(target, weight)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Learn from a batch; its detached loss comes back."""
        self.optimizer.zero_grad(set_to_none=True)
        with self._precision():
            loss = self._backward(batch, self.loss, generator)
        self.group.average(self.parameters)
        self._clip()
        self.optimizer.step()
        return loss

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        """Matrix products in bfloat16; weights, sums and what a family keeps exact stay float32."""
        if not self.settings.bfloat16:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _clip(self) -> None:
        if self.settings.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip_norm)
        elif self.settings.clip_value is not None:
            torch.nn.utils.clip_grad_value_(self.parameters, self.settings.clip_value)
