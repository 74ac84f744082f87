"""Model families: one module each, with settings of its own and a `Learner` that the loop can drive."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from trainyard_trainer.fit.losses import Loss


class Learner(Protocol):
    """What the loop needs of a family."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""
        ...

    def batch_rows(self, rows: int) -> int:
        """The largest batch of at most so many rows that the family can take whole."""
        ...

    def training_loss(
        self, numeric: Tensor, codes: Tensor, target: Tensor, loss: Loss, generator: torch.Generator
    ) -> Tensor:
        """The loss of one batch, penalties included, on the device and without a sync."""
        ...

    def outputs(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """Logits or standardised values, in evaluation mode."""
        ...
