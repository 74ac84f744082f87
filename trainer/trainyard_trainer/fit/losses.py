"""What training minimises, and how much each class counts in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trainyard_model.schema import Label, Task
from trainyard_trainer.errors import DataError, closest
from trainyard_trainer.fit.settings import FitSettings

Loss = Callable[[Tensor, Tensor], Tensor]


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
    """Cross-entropy of logits, or the mean squared error of the standardised target."""
    if task == "Regression":
        return lambda out, target: functional.mse_loss(out[:, 0], target)
    return lambda out, target: functional.cross_entropy(out, target, weights, label_smoothing=smoothing)
