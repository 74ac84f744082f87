"""MNIST's files, as they are published."""

from __future__ import annotations

import gzip
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.runs import DATA

FOLDER = DATA / "mnist"
TRAIN, TEST = ("train", "t10k")
GOAL = 0.99


@dataclass(frozen=True)
class Work:
    """Epochs of so many rows in batches of 64; of none, a race to 99 %."""

    rows: int = 0

    @property
    def name(self) -> str:
        """For a table."""
        return f"MNIST, {self.rows:,} rows" if self.rows else "MNIST, to 99 %"


def read(part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (rows, 28, 28) and labels of a part."""
    images = gzip.decompress((FOLDER / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((FOLDER / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
    return pixels, np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)


def source(part: str, field: str) -> list[str]:
    """Where a manifest finds a part, as PATH=VALUE."""
    return [
        f"{field}.uri={FOLDER / f'{part}-images-idx3-ubyte.gz'}",
        f"{field}.labels.uri={FOLDER / f'{part}-labels-idx1-ubyte.gz'}",
    ]


def whole() -> list[str]:
    """Official files for training and test."""
    return [*source(TRAIN, "data.source"), *source(TEST, "data.split.files.test")]
