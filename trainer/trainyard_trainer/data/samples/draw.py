"""Random numbers that are a function of (seed, row, stream): no state, so that any row can be made alone.

Built on the 64-bit mixer of `identity`; NumPy's generators may change their streams between versions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.identity import Hashes, mix, seeded


def words(rows: NDArray[np.uint64], seed: int, stream: int) -> Hashes:
    """One 64-bit word per row."""
    return mix(seeded(mix(rows), seed) ^ seeded(np.zeros(1, dtype=np.uint64), stream + 1))


def uniform(rows: NDArray[np.uint64], seed: int, stream: int) -> NDArray[np.float64]:
    """In (0, 1), 53 bits."""
    return np.asarray(((words(rows, seed, stream) >> np.uint64(11)) + 0.5) * 2.0**-53, dtype=np.float64)


def below(rows: NDArray[np.uint64], seed: int, stream: int, count: int) -> NDArray[np.int64]:
    """Whole numbers from 0 to count - 1 (the bias is below count / 2^53)."""
    return np.asarray(uniform(rows, seed, stream) * count).astype(np.int64)


def normal(rows: NDArray[np.uint64], seed: int, stream: int) -> NDArray[np.float64]:
    """Standard normal by Box and Muller (1958), to six decimals: libm's last bits differ between machines."""
    radius = np.sqrt(-2.0 * np.log(uniform(rows, seed, 2 * stream)))
    return np.round(radius * np.cos(2.0 * np.pi * uniform(rows, seed, 2 * stream + 1)), 6) + 0.0
