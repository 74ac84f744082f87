"""Which rows train, validate and test.

By the hash of a row, so that rows keep their part as data grow and equal rows stay together. Small tables
are cut by rank of that hash within the label instead, because shares of few rows would stray too far from
what was asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.identity import Hashes, seeded
from trainyard_trainer.data.settings import SplitSettings
from trainyard_trainer.data.table import Rows

RANKED_BELOW = 10_000


@dataclass(frozen=True, slots=True)
class Parts:
    """Row numbers of each part, ascending."""

    train: Rows
    validation: Rows
    test: Rows


def split(hashes: Hashes, labels: NDArray[np.int64], settings: SplitSettings) -> Parts:
    """Assign every row.

    Args:
        hashes: Row identities; equal hashes never part.
        labels: Class of each row; all zero where there are none.
        settings: Shares and seed.
    """
    order = seeded(hashes, settings.seed)
    small = len(hashes) < RANKED_BELOW
    position = _ranks(order, labels, settings) if small else order / 2.0**64
    test = position < settings.test
    validation = ~test & (position < settings.test + settings.validation)
    return Parts(np.flatnonzero(~test & ~validation), np.flatnonzero(validation), np.flatnonzero(test))


def fraction(hashes: Hashes, rows: Rows, share: float, seed: int) -> Rows:
    """A share of some rows, the same ones each time, and growing with the share."""
    if share >= 1.0:
        return rows
    return rows[seeded(hashes[rows], seed + 0x7F4A7C15) / 2.0**64 < share]


def _ranks(order: Hashes, labels: NDArray[np.int64], settings: SplitSettings) -> NDArray[np.float64]:
    """Position of each row in [0, 1) within its label, in the order of the hash.

    Rows of one hash are one group; a group with several labels counts for its smallest. A group sits at the
    middle of its rows, and a label with at least three groups has one in each part that was asked for.
    """
    groups, group_of = np.unique(order, return_inverse=True)
    sizes = np.bincount(group_of, minlength=len(groups))
    label = np.full(len(groups), np.iinfo(np.int64).max)
    np.minimum.at(label, group_of, labels)
    position = np.empty(len(groups))
    for value in np.unique(label):
        members = np.flatnonzero(label == value)  # already in the order of the hash
        weight = sizes[members]
        middle = (np.cumsum(weight) - weight / 2.0) / weight.sum()
        position[members] = _at_least_one(middle, settings)
    return position[group_of]


def _at_least_one(middle: NDArray[np.float64], settings: SplitSettings) -> NDArray[np.float64]:
    """Move the first groups into parts that would stay empty."""
    test, held_out = settings.test, settings.test + settings.validation
    if len(middle) < 3:
        return middle
    moved = middle.copy()
    if test > 0.0 and moved[0] >= test:
        moved[0] = 0.0
    if settings.validation > 0.0 and not ((moved >= test) & (moved < held_out)).any():
        moved[int((moved < test).sum())] = test
    return moved
