"""What is timed: the shape of the data and of the network, the same for both contestants."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

COLUMNS, CLASSES = 54, 7  # the shape of Forest Cover, whose data cannot be had here


@dataclass(frozen=True)
class Cell:
    """One configuration; the rest (gamma 1.3, momentum 0.02, 2 + 2 layers, sparsemax) is both defaults."""

    rows: int
    width: int
    steps: int
    batch: int
    virtual: int

    @property
    def name(self) -> str:
        """For a table."""
        return f"n_d {self.width}, {self.steps} steps, {self.batch}/{self.virtual}"

    @property
    def whole(self) -> int:
        """Rows that an epoch trains on: both drop the ragged last batch."""
        return self.rows // self.batch * self.batch

    def to_text(self) -> str:
        """For a command line."""
        return json.dumps(asdict(self))


def make_data(rows: int, seed: int = 7) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Numbers and classes that depend on some of them, so that training has something to do."""
    generator = np.random.default_rng(seed)
    inputs = generator.standard_normal((rows, COLUMNS), dtype=np.float32)
    scores = inputs[:, :12] @ generator.standard_normal((12, CLASSES), dtype=np.float32)
    scores += 2.0 * np.abs(inputs[:, 12 : 12 + CLASSES])
    scores += generator.gumbel(size=scores.shape).astype(np.float32)
    return inputs, scores.argmax(1).astype(np.int64)


def digest(inputs: NDArray[np.float32], target: NDArray[np.int64]) -> str:
    """Identity of the data, told by both contestants."""
    return hashlib.sha256(inputs.tobytes() + target.tobytes()).hexdigest()[:16]
