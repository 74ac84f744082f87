"""Other processes that train the same network, each on its own rows of every batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Peers:
    """What a network may know of them; where there are none, its `peers` is None.

    Attributes:
        rank: This process, from 0. It has rows [rank * B, (rank + 1) * B) of a batch of size * B rows.
        size: How many there are.
        add: Replaces a tensor by its sum over all processes, in place. Every process calls it equally often,
            in the same order, with tensors of the same shape.
    """

    rank: int
    size: int
    add: Callable[[Tensor], None]
