"""What every preprocessor does, whether of a table, of texts or of images.

Fitted on training rows only, stored in the package, and used by training, evaluation and serving alike, so
that nothing can differ between them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelInputError
from ..families.base import Kind, Shape
from ..schema import Schema

Columns = Mapping[str, Any]
Inputs = tuple[NDArray[Any], ...]
Floats = NDArray[np.float64]


class Preprocessor(ABC):
    """Raw columns to what a network takes, and a network's explanations back to the columns."""

    __slots__ = ()

    schema: Schema
    kind: ClassVar[Kind]
    example_rows: ClassVar[int] = 5
    """Rows that a package records as its example, at least 2."""

    @abstractmethod
    def encode(self, columns: Columns) -> Inputs:
        """What `Network.outputs` takes, a row for each row.

        Raises:
            ModelInputError: A column is missing or of another length, or a cell cannot be read.
        """

    @abstractmethod
    def shape(self) -> Shape:
        """What the data say of the network."""

    @property
    @abstractmethod
    def slice_rows(self) -> int:
        """How many rows to answer at a time, so that memory stays bounded whatever their number."""

    @abstractmethod
    def explained(self, columns: Columns, weights: list[Floats]) -> dict[str, Any]:
        """Explanations by column, from those that a network gave of consecutive slices of the rows."""

    @abstractmethod
    def importance(self, slices: Iterable[tuple[Inputs, Floats]]) -> dict[str, float]:
        """Share of each part of the input in the explanations of all rows; the shares add up to 1."""

    @abstractmethod
    def example(self, columns: Columns) -> dict[str, list[Any]]:
        """The rows as JSON holds them; they are answered like the rows themselves."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Plain values, without schema and files; `from_json` gives an equal object back."""

    @classmethod
    @abstractmethod
    def from_json(cls, schema: Schema, value: Mapping[str, Any], files: Mapping[str, bytes]) -> Self:
        """The inverse of `to_json` and `files`."""

    def files(self) -> dict[str, bytes]:
        """Files of the package beside the manifest and the weights, by name."""
        return {}


def row_count(schema: Schema, columns: Columns) -> int:
    """How many rows the columns have.

    Raises:
        ModelInputError: A column is missing, or they differ in length.
    """
    wanted = [c.name for c in schema.columns]
    absent = [name for name in wanted if name not in columns]
    if absent:
        shown = ", ".join(f"'{name}'" for name in absent[:5]) + (" ..." if len(absent) > 5 else "")
        takes = f"{len(wanted)} columns" if len(wanted) > 1 else "one column"
        raise ModelInputError(f"missing column {shown}; the model takes {takes}")
    lengths = {len(columns[name]) for name in wanted}
    if len(lengths) > 1:
        raise ModelInputError(f"columns differ in length: {sorted(lengths)}")
    return lengths.pop() if lengths else 0


def cut(schema: Schema, columns: Columns, rows: slice) -> dict[str, Any]:
    """Some consecutive rows of the model's columns; a data frame's index means nothing."""
    found = {c.name: columns[c.name] for c in schema.columns}
    return {name: getattr(values, "iloc", values)[rows] for name, values in found.items()}


def shares(totals: Floats) -> Floats:
    """Parts of the whole; equal parts where it is 0."""
    whole = float(totals.sum())
    return totals / whole if whole > 0.0 else np.full(len(totals), 1.0 / max(1, len(totals)))
