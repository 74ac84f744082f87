"""Rows on the device, and the batches of an epoch: gathered in blocks, so that a small step needs none."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from trainyard_model import Batch
from trainyard_trainer.data.encode import Part

_BLOCK_ROWS = 16_384


class DevicePart:
    """A part's tensors on the device."""

    def __init__(self, part: Part, device: str) -> None:
        self.inputs = tuple(torch.from_numpy(values).to(device) for values in part.inputs)
        self.target = torch.from_numpy(part.target).to(device)
        self.weight = None if part.weight is None else torch.from_numpy(part.weight).to(device)

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
        block = part.gather(order[start * size : (start + count) * size])
        for i in range(count):
            rows = slice(i * size, (i + 1) * size)
            yield Batch(
                tuple(values[rows] for values in block.inputs),
                block.target[rows],
                None if block.weight is None else block.weight[rows],
            )
