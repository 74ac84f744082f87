"""Rows encoded as networks take them, with their target and weight, whatever the columns are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trainyard_model.preprocess import Preprocessor
from trainyard_trainer.data.table import Rows
from trainyard_trainer.data.target import Target


@dataclass(frozen=True, slots=True)
class Part:
    """Encoded rows, as a network takes them.

    Attributes:
        inputs: What `Preprocessor.encode` gives.
        target: Classes int64 (rows,), or standardised values float32 (rows, targets).
        weight: Weight of each row float32 (rows,), or None where all weigh the same.
        lengths: Of texts, how many tokens each row has, int32 (rows,).
    """

    inputs: tuple[NDArray[Any], ...]
    target: NDArray[Any]
    weight: NDArray[np.float32] | None = None
    lengths: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.target)


class Fitted(Protocol):
    """Preprocessing fitted on training rows."""

    @property
    def preprocessor(self) -> Preprocessor:
        """What goes into the package; also holds the schema."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """What people should know of it."""
        ...

    def inputs(self, rows: Rows) -> tuple[NDArray[Any], ...]:
        """What the preprocessor would give of these rows, by column instead of by cell."""
        ...

    def lengths(self, rows: Rows) -> NDArray[np.int32] | None:
        """How many tokens each of these rows has; None where they are no texts."""
        ...


@dataclass(frozen=True, slots=True)
class Encoder:
    """How rows become parts: their inputs, and the scale of the target's values (empty for classes)."""

    fitted: Fitted
    target: Target
    weights: NDArray[np.float64] | None
    target_means: tuple[float, ...]
    target_scales: tuple[float, ...]

    @classmethod
    def of(cls, fitted: Fitted, target: Target, weights: NDArray[np.float64] | None, train: Rows) -> Encoder:
        """With the target's scale in the training rows."""
        return cls(fitted, target, weights, *_target_scales(target, train))

    def encode(self, rows: Rows) -> Part:
        """These rows."""
        values = self.target.values[rows]
        if self.target.task == "Classification":
            target: NDArray[Any] = values.astype(np.int64)
        else:
            target = ((values - self.target_means) / self.target_scales).astype(np.float32)
        weight = None if self.weights is None else self.weights[rows].astype(np.float32)
        return Part(self.fitted.inputs(rows), target, weight, self.fitted.lengths(rows))


def _target_scales(target: Target, rows: Rows) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if target.task == "Classification":
        return (), ()
    values = target.values[rows]
    return tuple(values.mean(0).tolist()), tuple(scale or 1.0 for scale in values.std(0).tolist())
