"""The processes that train together, as the loop sees them: a few verbs, which cost nothing for one alone.

Every process has all data, draws the same order and takes its own rows of each batch; gradients are averaged,
so that all have the same weights after every step. Whatever one process alone may decide or say, the first
does, and the others hear of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from trainyard_model import Loss
from trainyard_model.peers import Peers

T = TypeVar("T")


class Group:
    """The processes of one training; this class is the group of one."""

    rank = 0
    size = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that talks, saves and decides."""
        return self.rank == 0

    @property
    def peers(self) -> Peers | None:
        """What a network is told of the group."""
        return None

    def agree(self, *wishes: bool) -> tuple[bool, ...]:
        """Wishes of any process, once all know of them: at the same step everywhere, with no wait of its own.

        Asked before every step, always with the same number of wishes. Of many processes a wish travels with
        the gradients of the step that follows, and is granted before the next.
        """
        return wishes

    def average(self, parameters: Sequence[Tensor]) -> None:
        """Replace gradients by their mean over all processes."""

    def mean(self, value: Tensor) -> None:
        """Replace a value by its mean over all processes."""

    def any(self, wish: bool) -> bool:
        """Whether any process wishes it."""
        return wish

    def share(self, make: Callable[[], T]) -> T:
        """What the first process makes, in all: plain values and tensors in dicts and lists."""
        return make()

    def slowly(self, make: Callable[[], T]) -> T:
        """The same where it may take longer than processes wait for each other otherwise."""
        return make()

    def same(self, text: str) -> bool:
        """Whether all processes say the same."""
        return not self.any(self.share(lambda: text) != text)

    def part(self, rows: int) -> slice:
        """This process's share of so many rows; of too few to share, all."""
        if rows < self.size:
            return slice(0, rows)
        return slice(self.rank * rows // self.size, (self.rank + 1) * rows // self.size)

    def whole(self, mine: Tensor, rows: int) -> Tensor:
        """All of so many rows, of which each process has those of its `part`."""
        return mine

    def close(self) -> None:
        """The others wait no longer for this process."""


ALONE = Group()


class SharedLoss:
    """A loss of one process's rows that, averaged over processes, is the mean over the whole batch.

    Penalties that a family adds are means over rows, or take no rows at all: averaged, they stay what they
    are. Only the sum over weighted rows needs the weights of the rows elsewhere, which `begin` is told.
    """

    def __init__(self, loss: Loss, size: int) -> None:
        self._loss, self._size = loss, size
        self._divisor: Tensor | float = 1.0

    def begin(self, target: Tensor, weight: Tensor | None) -> None:
        """All rows of the next batch."""
        self._divisor = self._loss.divisor(target, weight) / self._size

    def rows(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Loss of each row."""
        return self._loss.rows(outputs, target)

    def divisor(self, target: Tensor, weight: Tensor | None) -> Tensor | float:
        """This process's share of the whole batch's."""
        return self._divisor

    def __call__(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The sum of weight * rows over the divisor."""
        rows = self.rows(outputs, target)
        return (rows if weight is None else rows * weight).sum() / self._divisor


def digest(state: dict[str, Tensor]) -> str:
    """SHA-256 of a network's state, to compare those of several processes."""
    import hashlib

    total = hashlib.sha256()
    for name, value in sorted(state.items()):
        total.update(name.encode())
        total.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
