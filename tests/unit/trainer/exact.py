"""A loss in the dtype of the outputs: the trainer's own are in float32, whatever the network's dtype."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


class Exact:
    """Cross-entropy of classes, squared error of values."""

    def rows(self, outputs: Tensor, target: Tensor) -> Tensor:
        if target.is_floating_point():
            return (outputs - target).square().mean(1)
        return functional.cross_entropy(outputs, target, reduction="none")

    def divisor(self, target: Tensor, weight: Tensor | None) -> Tensor | float:
        return len(target) if weight is None else weight.sum()

    def __call__(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        losses = self.rows(outputs, target)
        return (losses if weight is None else losses * weight).sum() / self.divisor(target, weight)
