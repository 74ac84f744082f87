"""Preprocessing steps of other distributions: fitted on the training rows, then applied to every row.

What comes out has its roles by what it is: numbers are numeric; texts are categories, or the texts that the
model reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from trainyard_model.errors import ModelInputError
from trainyard_model.preprocess import Preprocessor, SteppedPreprocessor
from trainyard_model.preprocess.steps import GROUP, NamedStep, registered, uniform
from trainyard_model.schema import CATEGORICAL, IMAGE, NUMERIC, TEXT, Column, Schema
from trainyard_trainer.data.convert import encoded
from trainyard_trainer.data.table import Numbers, Rows, Table, Texts, Values
from trainyard_trainer.errors import DataError, InvalidSpec
from trainyard_trainer.extensions import Extension, load

FIELD = "data.preprocess"


def step_through(
    table: Table, schema: Schema, rows: Rows, wanted: Sequence[Extension]
) -> tuple[Table, Schema, tuple[NamedStep, ...]]:
    """The table and the schema that the model reads, and the steps that lead there.

    Args:
        table: Columns in the kind of their role.
        schema: Before the steps.
        rows: Training rows.
        wanted: The steps, in their order.

    Raises:
        DataError: A step fails on these data.
        InvalidSpec: A step does not take its parameters, or cannot be imported; or these are images.
    """
    if not wanted:
        return table, schema, ()
    if any(column.role == IMAGE for column in schema.columns):
        raise InvalidSpec(f"{FIELD}: steps take tables and texts, not images", f"remove {FIELD}")
    names = [column.name for column in schema.columns]
    cells: Mapping[str, NDArray[Any]] = uniform(schema, table.cells(names))
    steps = []
    for one in wanted:
        step = _fitted(one, {name: values[rows] for name, values in cells.items()})
        steps.append(step)
        try:
            cells = step.apply(cells)
        except ModelInputError as error:
            raise DataError(f"{FIELD}: {error}", f"correct the data, or the step '{one.name}'") from error
    text = TEXT if any(column.role == TEXT for column in schema.columns) else CATEGORICAL
    numeric = [Column(name, NUMERIC) for name, values in cells.items() if values.dtype.kind == "f"]
    others = [Column(name, text) for name, values in cells.items() if values.dtype.kind != "f"]
    after = replace(schema, columns=(*numeric, *others))
    columns = {name: _values(values) for name, values in uniform(after, cells).items()}
    return Table(columns, table.rows), after, tuple(steps)


def behind(steps: tuple[NamedStep, ...], schema: Schema, preprocessor: Preprocessor) -> Preprocessor:
    """The preprocessor of raw rows: steps, and what was fitted on what they give."""
    return SteppedPreprocessor(schema, steps, preprocessor) if steps else preprocessor


def _fitted(one: Extension, columns: Mapping[str, NDArray[Any]]) -> NamedStep:
    kind = load(GROUP, one, FIELD)
    try:
        step = kind.fit(columns, **one.parameters)
    except TypeError as error:
        raise InvalidSpec(f"{FIELD}: {one.name}: {error}", "correct its parameters") from error
    except Exception as error:
        raise DataError(
            f"{FIELD}: the step '{one.name}' cannot be fitted: {type(error).__name__}: {error}",
            "correct its parameters, the data, or the step",
        ) from error
    point = registered(one.name)
    made_by = None if point is None else point.dist
    distribution = one.name if made_by is None else f"{made_by.name}=={made_by.version}"
    return NamedStep(one.name, distribution, step)


def _values(values: NDArray[Any]) -> Values:
    if values.dtype.kind == "f":
        return Numbers(values)
    words, codes = encoded(pa.array(values.tolist(), type=pa.string()), ())
    return Texts(tuple(words), codes)
