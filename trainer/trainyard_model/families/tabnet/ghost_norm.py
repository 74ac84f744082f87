"""Ghost batch normalisation: every virtual batch of a batch normalised by itself, all in one call.

A batch of B rows is n = ceil(B / virtual batch size) virtual batches of ceil(B / n) rows, the last one
possibly smaller, as `Tensor.chunk` cuts them. The batch is worked on in cuts, each a run of rows that holds k
whole virtual batches of r rows; virtual batch c of a cut is made of its rows c, c+k, c+2k, ...: then a
(r*k, F) tensor seen as (r, k*F) has one column per virtual batch and feature, and one native batch
normalisation of that free view does all of them. Rows are in random order during training, so which rows meet
is as random as before.

The running statistics end where a loop over the virtual batches would leave them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

EPSILON = 1e-5
_backward = torch.ops.aten.native_batch_norm_backward.default


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows start to stop of a batch: `count` virtual batches of equal size."""

    start: int
    stop: int
    count: int


def virtual_batches(rows: int, virtual_batch_size: int) -> tuple[int, int]:
    """Number of virtual batches and rows in each but the last (as `Tensor.chunk` cuts them)."""
    wanted = math.ceil(rows / virtual_batch_size)
    size = math.ceil(rows / wanted)
    return math.ceil(rows / size), size


@lru_cache(maxsize=64)
def cuts(rows: int, virtual_batch_size: int, most_rows: int, workers: int = 1) -> tuple[Cut, ...]:
    """Cuts of at most `most_rows` rows where a virtual batch is not larger; a ragged last one by itself.

    As equal as can be, and as many for each worker.

    Raises:
        ValueError: A virtual batch would have one row, which has no variance.
    """
    count, size = virtual_batches(rows, virtual_batch_size)
    full = rows // size
    if size < 2 or rows - full * size == 1:
        raise ValueError(f"{rows} rows leave a virtual batch of one row (virtual batch size {size})")
    pieces = workers * math.ceil(full / workers / max(1, most_rows // size))
    each = math.ceil(full / pieces)
    found = []
    for first in range(0, full, each):
        last = min(full, first + each)
        found.append(Cut(first * size, last * size, last - first))
    if full < count:
        found.append(Cut(full * size, rows, 1))
    return tuple(found)


def chunk_order(parts: tuple[Cut, ...]) -> Tensor:
    """The rows of a batch in the order in which virtual batches are contiguous chunks."""
    return torch.cat([torch.arange(p.start, p.stop).view(-1, p.count).t().flatten() for p in parts])


def normalise(
    x: Tensor, gain: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Normalise (rows, F) by virtual batch; `gain` and `bias` (k*F) are repeated for each of them.

    Returns:
        The normalised rows, and what `normalise_backward` needs. `mean` and `variance` (k*F, zeros before)
        get the statistics, the variance unbiased.
    """
    wide = x.view(-1, gain.shape[0])
    out, *saved = torch.native_batch_norm(wide, gain, bias, mean, variance, True, 1.0, EPSILON)
    return out.view(x.shape), (saved[0], saved[1])


def normalise_backward(
    grad: Tensor, x: Tensor, gain: Tensor, saved: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x (rows, F), and of the repeated gain and bias (k*F)."""
    width = gain.shape[0]
    back = _backward(
        grad.view(-1, width), x.view(-1, width), gain, None, None, *saved, True, EPSILON, [True, True, True]
    )
    return back[0].view(x.shape), back[1], back[2]


def fold(running: Tensor, found: Tensor, momentum: float) -> None:
    """Update running statistics (..., F) by those of k virtual batches in a row (..., k*F).

    Running r becomes (1-m)^k r + m sum_i (1-m)^(k-1-i) s_i, which is what k updates in a row do.
    """
    count = found.shape[-1] // running.shape[-1]
    shares = _shares(count, momentum, found.device, found.dtype)
    steps = found.view(*running.shape[:-1], count, running.shape[-1]) * shares
    running.mul_((1.0 - momentum) ** count).add_(steps.sum(-2))


@lru_cache(maxsize=64)
def _shares(count: int, momentum: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    powers = [[momentum * (1.0 - momentum) ** (count - 1 - i)] for i in range(count)]
    return torch.tensor(powers, device=device, dtype=dtype)
