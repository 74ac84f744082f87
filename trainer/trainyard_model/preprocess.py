"""Raw columns to what the network takes: standardised float32 numbers and category codes.

Fitted on training rows only, stored as JSON in the package, and used by training, evaluation and serving
alike, so that nothing can differ between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .embedding import MISSING, RESERVED, UNSEEN
from .errors import ModelInputError
from .schema import Schema
from .values import category_text, to_list, to_numbers

Columns = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preprocessor:
    """How each column is encoded, in schema order.

    Attributes:
        schema: The columns.
        means: Of the numeric columns, after their logarithm if they have one.
        scales: Likewise.
        vocabularies: Words of the categorical columns.
        units: Of numeric columns with a heavy tail, where `signed_log` bends; 0 for the others. Empty if all
            are 0.
    """

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
        rows = self._rows(columns)
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

    def _rows(self, columns: Columns) -> int:
        wanted = [c.name for c in self.schema.columns]
        absent = [name for name in wanted if name not in columns]
        if absent:
            shown = ", ".join(f"'{name}'" for name in absent[:5]) + (" ..." if len(absent) > 5 else "")
            raise ModelInputError(f"missing column {shown}; the model takes {len(wanted)} columns")
        lengths = {len(columns[name]) for name in wanted}
        if len(lengths) > 1:
            raise ModelInputError(f"columns differ in length: {sorted(lengths)}")
        return lengths.pop() if lengths else 0

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` with the same schema gives an equal object back."""
        return {
            "means": list(self.means),
            "scales": list(self.scales),
            "vocabularies": [list(words) for words in self.vocabularies],
            **({"units": list(self.units)} if self.units else {}),
        }

    @classmethod
    def from_json(cls, schema: Schema, value: dict[str, Any]) -> Preprocessor:
        """The inverse of `to_json`."""
        words = tuple(tuple(vocabulary) for vocabulary in value["vocabularies"])
        units = tuple(value.get("units", ()))
        return cls(schema, tuple(value["means"]), tuple(value["scales"]), words, units)


def signed_log(values: NDArray[np.float64], unit: float) -> NDArray[np.float64]:
    """Linear up to about `unit`, logarithmic beyond: a few huge values no longer squeeze all the others."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values) / unit), dtype=np.float64)
