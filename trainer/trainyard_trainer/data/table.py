"""The table in memory: numbers as float64 with NaN for gaps, texts as codes into their distinct words.

Columns of both kinds hash, digest, encode and split without a Python loop over rows, and a table of the same
content is the same whatever file it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_model.values import number_text


@dataclass(frozen=True, slots=True)
class Numbers:
    """A numeric column."""

    values: NDArray[np.float64]

    def take(self, rows: NDArray[np.int64]) -> Numbers:
        """Some rows, in the order given."""
        return Numbers(self.values[rows])

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where there is a gap."""
        return np.isnan(self.values)

    @property
    def integral(self) -> bool:
        """Whether every value is a whole number."""
        present = self.values[~self.missing]
        return bool(np.isfinite(present).all() and (present == np.floor(present)).all())

    def cells(self) -> NDArray[Any]:
        """The values as a user would pass them: whole numbers as integers where there are no gaps."""
        if self.integral and not self.missing.any() and (np.abs(self.values) < 2**53).all():
            return self.values.astype(np.int64)
        return self.values

    def as_texts(self) -> Texts:
        """The same cells as categories."""
        present = ~self.missing
        distinct, inverse = np.unique(self.values[present], return_inverse=True)
        codes = np.full(len(self.values), -1, dtype=np.int32)
        codes[present] = inverse.astype(np.int32)
        return Texts(tuple(number_text(float(v)) for v in distinct), codes)


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of words; code -1 is a gap."""

    words: tuple[str, ...]
    codes: NDArray[np.int32]

    def take(self, rows: NDArray[np.int64]) -> Texts:
        """Some rows, in the order given."""
        return Texts(self.words, self.codes[rows])

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where there is a gap."""
        return self.codes < 0

    def cells(self) -> NDArray[Any]:
        """The values as a user would pass them."""
        return np.array([*self.words, None], dtype=object)[self.codes]

    def used(self) -> list[int]:
        """Codes that occur."""
        return [int(code) for code in np.unique(self.codes) if code >= 0]


Values = Numbers | Texts


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length, by name."""

    columns: Mapping[str, Values]
    rows: int

    def take(self, rows: NDArray[np.int64]) -> Table:
        """Some rows, in the order given."""
        return Table({name: column.take(rows) for name, column in self.columns.items()}, len(rows))

    def cells(self, names: list[str]) -> dict[str, NDArray[Any]]:
        """Columns as a user would pass them."""
        return {name: self.columns[name].cells() for name in names}
