"""Groups of rows dealt to parts: none is cut, shares and classes come out as evenly as they can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.identity import Hashes, mix

DEALT_BELOW = 5_000
"""From so many groups on their hash alone decides, so that a group keeps its part as data grow."""


def assign(
    groups: Hashes, labels: NDArray[np.int64], shares: Sequence[float], seed: Hashes
) -> NDArray[np.int64]:
    """The number of the part of each row.

    Args:
        groups: Identity of each row's group.
        labels: Class of each row; all zero where there are none.
        shares: Share of the rows that each part should have; they add up to one.
        seed: One word; another one gives another assignment.
    """
    distinct, group_of = np.unique(mix(groups ^ seed), return_inverse=True)
    if len(distinct) >= DEALT_BELOW:
        edges = np.cumsum(shares)[:-1]
        part = np.searchsorted(edges, distinct / 2.0**64, side="right")
    else:
        classes = int(labels.max(initial=0)) + 1
        counts = np.bincount(group_of * classes + labels, minlength=len(distinct) * classes)
        part = _deal(counts.reshape(-1, classes).astype(np.float64), np.asarray(shares))
    return np.asarray(part[group_of], dtype=np.int64)


def _deal(counts: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Large groups first, each to the part whose classes lack it most.

    Args:
        counts: (groups, classes) rows, groups in random order.
        shares: Share of each part.
    """
    totals = counts.sum(0)
    lacking = shares[:, None] * totals / np.maximum(totals, 1.0)  # in shares of each class
    size = np.floor(np.log2(np.maximum(counts.sum(1), 1.0)))  # coarse, so that the seed decides among equals
    part = np.zeros(len(counts), dtype=np.int64)
    empty = {int(p) for p in np.flatnonzero(shares > 0)}
    order = np.argsort(-size, kind="stable")
    weights = counts / np.maximum(totals, 1.0)
    for done, group in enumerate(order):
        gain = lacking @ counts[group]
        gain[shares == 0] = -np.inf
        if len(order) - done <= len(empty):  # so many groups are left that each empty part gets one
            gain[[p for p in range(len(shares)) if p not in empty]] = -np.inf
        chosen = int(gain.argmax())
        part[group] = chosen
        empty.discard(chosen)
        lacking[chosen] -= weights[group]
    return part
