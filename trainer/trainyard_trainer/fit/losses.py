"""What training minimises, and how much each class counts in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trainyard_model import Loss
from trainyard_model.schema import Label, Task
from trainyard_trainer.errors import DataError, closest
from trainyard_trainer.fit.settings import FitSettings

_LEAST = 1e-12


def class_weights(
    settings: FitSettings, classes: Sequence[Label], target: NDArray[np.int64]
) -> Tensor | None:
    """One weight a class, or None where all count alike.

    Raises:
        DataError: A weight is given for a class that does not exist.
    """
    if settings.balanced:
        counts = np.bincount(target, minlength=len(classes))
        return torch.tensor(len(target) / (len(classes) * np.maximum(counts, 1)), dtype=torch.float32)
    if not settings.class_weights:
        return None
    texts = [str(label) for label in classes]
    weights = torch.ones(len(classes))
    for label, weight in settings.class_weights:
        if label not in texts:
            raise DataError(
                f"data.classWeights: there is no class '{label}'; {closest(label, texts)}",
                "name classes of the target",
            )
        weights[texts.index(label)] = weight
    return weights


def make_loss(task: Task, weights: Tensor | None, smoothing: float) -> Loss:
    """Cross-entropy of logits, or the mean squared error of the standardised targets."""
    return SquaredError() if task == "Regression" else CrossEntropy(weights, smoothing)


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Of logits (rows, classes); `class_weights` (classes,) lies on the logits' device."""

    class_weights: Tensor | None
    smoothing: float

    def rows(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Loss of each row, weighted by its class."""
        return functional.cross_entropy(
            outputs.float(), target, self.class_weights, label_smoothing=self.smoothing, reduction="none"
        )

    def divisor(self, target: Tensor, weight: Tensor | None) -> Tensor | float:
        """The sum of the weights of rows times those of their classes."""
        if self.class_weights is None:
            return _total(target, weight)
        by_class = self.class_weights[target]
        return (by_class if weight is None else by_class * weight).sum().clamp_min(_LEAST)

    def __call__(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The weighted mean."""
        if weight is None:
            return functional.cross_entropy(
                outputs.float(), target, self.class_weights, label_smoothing=self.smoothing
            )
        return (self.rows(outputs, target) * weight).sum() / self.divisor(target, weight)


class SquaredError:
    """Of standardised values (rows, targets); the mean over a row's targets is its loss."""

    def rows(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Loss of each row."""
        return (outputs.float() - target).square().mean(1)

    def divisor(self, target: Tensor, weight: Tensor | None) -> Tensor | float:
        """The sum of the rows' weights."""
        return _total(target, weight)

    def __call__(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The weighted mean."""
        if weight is None:
            return functional.mse_loss(outputs.float(), target)
        return (self.rows(outputs, target) * weight).sum() / self.divisor(target, weight)


def _total(target: Tensor, weight: Tensor | None) -> Tensor | float:
    """A batch whose rows all weigh nothing teaches nothing, and is no division by 0 either."""
    return float(len(target)) if weight is None else weight.sum().clamp_min(_LEAST)
