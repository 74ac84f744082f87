"""Rows on the device, and the batches of an epoch: gathered in blocks, so that a small step needs none.

Texts of like length meet in a batch, which is cut off where the longest of its kind ends: a few shapes, and
little padding. Which rows an epoch takes, and which of like length meet, is random all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainyard_model import Batch
from trainyard_model.words import PADDING
from trainyard_trainer.data.encode import Part

_BLOCK_ROWS = 16_384
_SHAPES, _STEP = 16, 8


class DevicePart:
    """A part's tensors on the device."""

    def __init__(self, part: Part, device: str) -> None:
        self.inputs = tuple(torch.from_numpy(values).to(device) for values in part.inputs)
        self.target = torch.from_numpy(part.target).to(device)
        self.weight = None if part.weight is None else torch.from_numpy(part.weight).to(device)
        self.room: Tensor | None = None  # of texts, how many tokens a row's batch must have at least (rows,)
        if part.lengths is not None and len(part):
            self.room = torch.from_numpy(room(part.lengths, part.inputs[0].shape[1])).to(device)
            self._at_start = bool((part.inputs[0][:, 0] == PADDING).any())

    def order(self, size: int, steps: int, generator: torch.Generator) -> Tensor:
        """Rows of an epoch's batches, one batch after another: no row twice, and chance leaves some out."""
        rows = torch.randperm(len(self), generator=generator, device=self.target.device)[: steps * size]
        if self.room is None:
            return rows
        alike = rows[self.room[rows].argsort(stable=True)].view(steps, size)
        return alike[torch.randperm(steps, generator=generator, device=rows.device)].flatten()

    def trimmed(self, inputs: tuple[Tensor, ...], room: int) -> tuple[Tensor, ...]:
        """Texts without the padding that none of them needs."""
        (tokens,) = inputs
        return (tokens[:, tokens.shape[1] - room :] if self._at_start else tokens[:, :room],)

    def gather(self, rows: Tensor) -> Batch:
        """Some rows, in the order given."""
        return Batch(
            tuple(values.index_select(0, rows) for values in self.inputs),
            self.target.index_select(0, rows),
            None if self.weight is None else self.weight.index_select(0, rows),
        )

    def targets(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Targets and weights of some rows."""
        weight = None if self.weight is None else self.weight.index_select(0, rows)
        return self.target.index_select(0, rows), weight

    def blocks(self, rows: slice = slice(None)) -> Iterator[tuple[Tensor, ...]]:
        """The inputs of rows one after another, so many at a time."""
        first, last, _ = rows.indices(len(self))
        for start in range(first, last, _BLOCK_ROWS):
            yield tuple(values[start : min(last, start + _BLOCK_ROWS)] for values in self.inputs)

    def __len__(self) -> int:
        return len(self.target)


def batches(part: DevicePart, order: Tensor, size: int, first: int, steps: int) -> Iterator[Batch]:
    """Batches `first` to `steps` of `size` rows each, in the order of the rows; views of gathered blocks."""
    at_once = max(1, _BLOCK_ROWS // size)
    for start in range(first, steps, at_once):
        count = min(at_once, steps - start)
        chosen = order[start * size : (start + count) * size]
        block = part.gather(chosen)
        rooms = None if part.room is None else part.room[chosen].view(count, size).amax(1).tolist()
        for i in range(count):
            rows = slice(i * size, (i + 1) * size)
            inputs = tuple(values[rows] for values in block.inputs)
            yield Batch(
                inputs if rooms is None else part.trimmed(inputs, rooms[i]),
                block.target[rows],
                None if block.weight is None else block.weight[rows],
            )


def room(lengths: NDArray[np.int32], most: int) -> NDArray[np.int64]:
    """For each row the nearest of a few lengths that holds its tokens: quantiles, in steps of 8.

    Args:
        lengths: Tokens of each row (rows,), one at least.
        most: Of any row.
    """
    levels = np.quantile(lengths, np.arange(1, _SHAPES + 1) / _SHAPES, method="higher")
    shapes = np.minimum(np.unique(-(-levels.astype(np.int64) // _STEP) * _STEP), most)
    return shapes[np.searchsorted(shapes, lengths)]
