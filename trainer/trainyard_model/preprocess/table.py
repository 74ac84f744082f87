"""The columns of a table: standardised float32 numbers and category codes."""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..embedding import MISSING, RESERVED, UNSEEN
from ..families.base import Kind, Shape
from ..schema import Schema
from ..values import category_text, to_list, to_numbers
from .base import Columns, Floats, Inputs, Preprocessor, row_count, shares


@dataclass(frozen=True, slots=True)
class TablePreprocessor(Preprocessor):
    """How each column is encoded, in schema order.

    Attributes:
        schema: The columns.
        means: Of the numeric columns, after their logarithm if they have one.
        scales: Likewise.
        vocabularies: Words of the categorical columns.
        units: Of numeric columns with a heavy tail, where `signed_log` bends; 0 for the others. Empty if all
            are 0.
    """

    kind: ClassVar[Kind] = "table"
    slice_rows: ClassVar[int] = 8192

    schema: Schema
    means: tuple[float, ...]
    scales: tuple[float, ...]
    vocabularies: tuple[tuple[str, ...], ...]
    units: tuple[float, ...] = ()

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Rows of the embedding table that each categorical column needs, reserved ones included."""
        return tuple(len(words) + RESERVED for words in self.vocabularies)

    def encode(self, columns: Columns) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Rows as (rows, numeric columns) and (rows, categorical columns).

        Raises:
            ModelInputError: A column is missing or of another length, or a cell cannot be read.
        """
        rows = row_count(self.schema, columns)
        numeric = np.empty((rows, len(self.means)), dtype=np.float32)
        for i, column in enumerate(self.schema.numeric):
            numeric[:, i] = self.numbers(i, to_numbers(columns[column.name], column.name))
        codes = np.empty((rows, len(self.vocabularies)), dtype=np.int64)
        for i in range(len(self.schema.categorical)):
            codes[:, i] = self.codes(i, to_list(columns[self.schema.categorical[i].name]))
        return numeric, codes

    def numbers(self, index: int, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Standardise one numeric column; a gap becomes the mean, that is 0."""
        if self.units and self.units[index]:
            values = signed_log(values, self.units[index])
        scaled = (values - self.means[index]) / self.scales[index]
        return np.nan_to_num(scaled, nan=0.0).astype(np.float32)

    def codes(self, index: int, values: Sequence[Any]) -> NDArray[np.int64]:
        """Codes of one categorical column; gaps and unknown values have codes of their own."""
        integers = self.schema.categorical[index].integers
        known = {word: code for code, word in enumerate(self.vocabularies[index], start=RESERVED)}
        seen: dict[Any, int] = {}
        out = np.empty(len(values), dtype=np.int64)
        for row, value in enumerate(values):
            key = (type(value), value) if isinstance(value, bool | float) else value
            code = seen.get(key)
            if code is None:
                text = category_text(value, integers)
                code = MISSING if text is None else known.get(text, UNSEEN)
                seen[key] = code
            out[row] = code
        return out

    def shape(self) -> Shape:
        """What the data say of the network."""
        schema = self.schema
        return Shape(len(self.means), self.cardinalities, schema.width, bool(schema.classes))

    def explained(self, columns: Columns, weights: list[Floats]) -> dict[str, Floats]:
        """A number a row, by column."""
        features = self.schema.features
        found = np.concatenate(weights) if weights else np.empty((0, len(features)))
        return {name: found[:, i] for i, name in enumerate(features)}

    def importance(self, slices: Iterable[tuple[Inputs, Floats]]) -> dict[str, float]:
        """Share of each column, in the order of the features."""
        features = self.schema.features
        totals = sum((np.abs(weights).sum(0) for _, weights in slices), np.zeros(len(features)))
        return dict(zip(features, shares(totals).tolist(), strict=True))

    def example(self, columns: Columns) -> dict[str, list[Any]]:
        """JSON has no NaN: a gap is null."""
        names = [c.name for c in self.schema.columns]
        return {name: [_plain(value) for value in to_list(columns[name])] for name in names}

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` with the same schema gives an equal object back."""
        return {
            "means": list(self.means),
            "scales": list(self.scales),
            "vocabularies": [list(words) for words in self.vocabularies],
            **({"units": list(self.units)} if self.units else {}),
        }

    @classmethod
    def from_json(
        cls, schema: Schema, value: Mapping[str, Any], files: Mapping[str, bytes]
    ) -> TablePreprocessor:
        """The inverse of `to_json`."""
        words = tuple(tuple(vocabulary) for vocabulary in value["vocabularies"])
        units = tuple(value.get("units", ()))
        return cls(schema, tuple(value["means"]), tuple(value["scales"]), words, units)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value


def signed_log(values: NDArray[np.float64], unit: float) -> NDArray[np.float64]:
    """Linear up to about `unit`, logarithmic beyond: a few huge values no longer squeeze all the others."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values) / unit), dtype=np.float64)
