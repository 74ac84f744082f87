"""Columns of numbers and words: preprocessing fitted on training rows, and rows encoded with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_model.embedding import MISSING
from trainyard_model.preprocess import TablePreprocessor
from trainyard_model.preprocess.table import signed_log
from trainyard_model.schema import Schema
from trainyard_trainer.data.table import Numbers, Rows, Table, Texts
from trainyard_trainer.errors import DataError

HEAVY = 10.0


@dataclass(frozen=True, slots=True)
class FittedTable:
    """The preprocessor, and the table whose rows it encodes."""

    preprocessor: TablePreprocessor
    table: Table
    notices: tuple[str, ...]

    def inputs(self, rows: Rows) -> tuple[NDArray[Any], ...]:
        """Numbers float32 (rows, numeric columns) and codes int64 (rows, categorical columns)."""
        schema = self.preprocessor.schema
        numeric = np.empty((len(rows), len(schema.numeric)), dtype=np.float32)
        codes = np.empty((len(rows), len(schema.categorical)), dtype=np.int64)
        for i, column in enumerate(schema.numeric):
            values = self.table.columns[column.name]
            assert isinstance(values, Numbers)  # noqa: S101 - `infer` made it so
            numeric[:, i] = self.preprocessor.numbers(i, values.values[rows])
        for i, column in enumerate(schema.categorical):
            texts = self.table.columns[column.name]
            assert isinstance(texts, Texts)  # noqa: S101
            by_word = np.append(self.preprocessor.codes(i, list(texts.words)), MISSING)
            codes[:, i] = by_word[texts.codes[rows]]
        return numeric, codes

    def lengths(self, rows: Rows) -> None:
        """None."""


def fit_table(table: Table, schema: Schema, rows: Rows) -> FittedTable:
    """Means, scales and vocabularies from the training rows; a feature that they do not have is left out.

    Raises:
        DataError: No feature has a value in any training row.
    """
    means, scales, units, vocabularies, kept, said = [], [], [], [], [], []
    for column in schema.columns:
        values = table.columns[column.name]
        if isinstance(values, Numbers):
            present = values.values[rows]
            present = present[~np.isnan(present)]
            if len(present):
                unit, mean, scale = _scaling(present)
                units.append(unit)
                means.append(mean)
                scales.append(scale)
        else:
            assert isinstance(values, Texts)  # noqa: S101 - `infer` made it so
            present = np.asarray(values.take(rows).used())
            if len(present):
                vocabularies.append(tuple(sorted(values.words[code] for code in present)))
        if len(present):
            kept.append(column)
        else:
            said.append(f"column '{column.name}' has no value in any training row and is left out")
    if not kept:
        raise DataError("no column has a value in any training row", "check the data and data.split")
    fitted = TablePreprocessor(
        replace(schema, columns=tuple(kept)),
        tuple(means),
        tuple(scales),
        tuple(vocabularies),
        tuple(units) if any(units) else (),
    )
    return FittedTable(fitted, table, tuple(said))


def _scaling(present: NDArray[np.float64]) -> tuple[float, float, float]:
    """Unit of the signed logarithm (0 for none), mean and scale.

    A column whose farthest value lies more than HEAVY standard deviations away, such as one of mostly zeros
    and some large amounts, is bent at the lower quartile of its sizes, if that brings the value nearer.
    """
    mean, scale, far = _standard(present)
    if far > HEAVY:
        unit = float(np.quantile(np.abs(present[present != 0.0]), 0.25))
        bent_mean, bent_scale, bent_far = _standard(signed_log(present, unit))
        if bent_far < 0.75 * far:
            return unit, bent_mean, bent_scale
    return 0.0, mean, scale


def _standard(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean, standard deviation (1 for a constant), and how many of these the farthest value is away."""
    mean, spread = float(values.mean()), float(values.std())
    scale = spread if spread > 1e-12 * max(1.0, abs(mean)) else 1.0
    return mean, scale, max(float(values.max()) - mean, mean - float(values.min())) / scale
