"""What each column is for: inferred where nothing is said, refused where what is said cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trainyard_model.schema import CATEGORICAL, IMAGE, NUMERIC, TEXT, Column, Role
from trainyard_trainer.data.free_text import collapsed
from trainyard_trainer.data.settings import DataSettings
from trainyard_trainer.data.table import Images, Numbers, Table, Texts, Times, Values
from trainyard_trainer.errors import DataError, closest

_MOSTLY = 0.9
_FEW = 20
ColumnRole = Role | Literal["target", "key", "weight", "split", "dropped", "left out"]


@dataclass(frozen=True, slots=True)
class Use:
    """The role of a column and the reason for it."""

    role: ColumnRole
    why: str


@dataclass(frozen=True, slots=True)
class Roles:
    """Features in the network's order (numeric first), columns that identify a row, every column's use."""

    features: tuple[Column, ...]
    identity: tuple[str, ...]
    uses: Mapping[str, Use]
    notices: tuple[str, ...]


def check_names(table: Table, settings: DataSettings) -> None:
    """Every column that the specification names must be there, and be named for one purpose.

    Raises:
        DataError: One is not; the message has the closest name that is.
    """
    names, columns = list(table.columns), settings.columns
    named: dict[str, tuple[str, ...]] = {
        "data.target": (settings.target,) if settings.target else (),
        "data.targets": settings.targets,
        "data.columns.drop": columns.drop,
        "data.columns.numeric": columns.numeric,
        "data.columns.categorical": columns.categorical,
        "data.columns.text": columns.text,
        "data.columns.key": columns.key,
        "data.columns.weight": (columns.weight,) if columns.weight else (),
        "data.split.column": (settings.split.column,) if settings.split.column else (),
    }
    purpose: dict[str, str] = {}
    for field, wanted in named.items():
        for name in wanted:
            if name not in table.columns:
                raise DataError(
                    f"{field}: the data have no column '{name}'; {closest(name, names)}", f"correct {field}"
                )
            other = purpose.setdefault(name, field)
            if other != field and not _together(other, field):
                raise DataError(f"column '{name}' is named in both {other} and {field}", "name it in one")
            if isinstance(table.columns[name], Images):
                raise DataError(f"{field}: column '{name}' holds the images", "name another column")


def _together(first: str, second: str) -> bool:
    """Pairs of fields that may name the same column."""
    kinds = ("data.columns.numeric", "data.columns.categorical")
    if second == "data.split.column":
        return first in (*kinds, "data.columns.key", "data.columns.drop")
    return first in ("data.target", "data.targets") and second in kinds


def default_target(table: Table, settings: DataSettings) -> str:
    """The last column that has no other purpose.

    Raises:
        DataError: There is none.
    """
    columns = settings.columns
    taken = {*columns.drop, *columns.text, *columns.key, columns.weight, settings.split.column}
    free = [
        name for name, column in table.columns.items() if name not in taken and not isinstance(column, Images)
    ]
    if not free:
        raise DataError("no column is left to predict", "set data.target")
    return free[-1]


def infer(table: Table, targets: Iterable[str], settings: DataSettings) -> tuple[Table, Roles]:
    """Decide the role of each column; the table comes back with columns in the kind of their role.

    Raises:
        DataError: A column cannot have its role, or there is nothing to learn from.
    """
    fixed = _fixed(targets, settings)
    columns, features, uses, notices = dict(table.columns), [], dict(fixed), []
    for name in (name for name in table.columns if name not in fixed):
        uses[name] = use = _use(name, table, settings)
        if use.role == "left out":
            notices.append(f"column '{name}' is left out: {use.why}")
        elif use.role in (NUMERIC, TEXT, IMAGE):
            features.append(Column(name, use.role))
        else:
            features.append(Column(name, CATEGORICAL, isinstance(columns[name], Numbers)))
            columns[name] = columns[name].as_texts()
    if not features:
        raise DataError("no column is left to learn from", "check data.columns.drop and the data's columns")
    ordered = sorted(features, key=lambda c: c.role != NUMERIC)
    identity = settings.columns.key or tuple(c.name for c in ordered)
    for name in settings.columns.text:
        if isinstance(texts := columns[name], Texts):
            columns[name] = collapsed(texts)
    return table.with_columns(columns), Roles(tuple(ordered), identity, uses, tuple(notices))


def _fixed(targets: Iterable[str], settings: DataSettings) -> dict[str, Use]:
    """Columns that are no features because of what is said of them."""
    columns, split = settings.columns, settings.split
    uses = {name: Use("target", "what is predicted") for name in targets}
    uses |= {name: Use("dropped", "data.columns.drop") for name in columns.drop}
    uses |= {name: Use("key", "identifies a row; no feature") for name in columns.key}
    if columns.weight:
        uses[columns.weight] = Use("weight", "weighs rows; no feature")
    told = {*columns.numeric, *columns.categorical}
    if split.column and (split.by == "Column" or (split.by != "Hash" and split.column not in told)):
        uses[split.column] = Use("split", f"decides the part (by: {split.by}); no feature")
    return uses


def _use(name: str, table: Table, settings: DataSettings) -> Use:
    column = table.columns[name]
    if isinstance(column, Images):
        return Use(IMAGE, f"images of {column.size} pixels")
    if settings.inputs == "image":
        return Use("left out", "the model reads the images alone")
    if name in settings.columns.text:
        return _use_as_text(name, column)
    if settings.inputs == "text":
        return Use("left out", f"the model reads '{settings.columns.text[0]}' alone")
    if column.missing.all():
        return Use("left out", "it has no value in any row")
    if name in settings.columns.categorical:
        return Use(CATEGORICAL, "data.columns.categorical")
    told = name in settings.columns.numeric
    if isinstance(column, Numbers):
        if (infinite := np.isinf(column.values)).any():
            raise DataError(
                f"column '{name}', {table.place(int(infinite.argmax()))}: infinite value",
                "correct it, or leave the cell empty",
            )
        return Use(NUMERIC, "data.columns.numeric" if told else "every cell is a number")
    if isinstance(column, Times):
        if told:
            raise DataError(
                f"column '{name}' holds dates, which are not numbers",
                f"add columns such as year or month, or remove '{name}' from data.columns.numeric",
            )
        return Use("left out", "it holds dates (add columns such as year or month, or name it categorical)")
    return _use_of_texts(name, table, column, told)


def _use_as_text(name: str, column: Values) -> Use:
    if column.missing.all():
        raise DataError(f"column '{name}', which the model reads, has no text in any row", "check the data")
    return Use(TEXT, "the text that is read")


def _use_of_texts(name: str, table: Table, column: Texts, told: bool) -> Use:
    used = column.used()
    odd = [code for code in used if not _is_number(column.words[code])]
    if told and odd:
        raise DataError(*_odd_cell(name, table, column, odd))
    if told:
        raise DataError(
            f"column '{name}' holds whole numbers too long to compute with, such as {column.words[used[0]]}",
            f"name '{name}' in data.columns.key or data.columns.drop",
        )
    distinct = len(used)
    if odd and distinct > _FEW and len(odd) < (1 - _MOSTLY) * distinct:
        message, remedy = _odd_cell(name, table, column, odd)
        raise DataError(message + ", though most of the column are numbers", remedy)
    if distinct > max(_FEW, table.rows / 2):
        return Use("left out", f"{distinct} different texts (an identifier, or free text)")
    return Use(CATEGORICAL, f"{distinct} different texts")


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _odd_cell(name: str, table: Table, column: Texts, odd: list[int]) -> tuple[str, str]:
    row = int(np.isin(column.codes, odd).argmax())
    word = column.words[column.codes[row]]
    return (
        f"column '{name}', {table.place(row)}: '{word:.60}' is not a number",
        f"correct it, add it to data.source.csv.nullValues if it means a gap, "
        f"or name '{name}' in data.columns.categorical",
    )


def weights(table: Table, name: str | None) -> Values | None:
    """The column of row weights.

    Raises:
        DataError: A weight is missing, negative or infinite, or all are zero.
    """
    if name is None:
        return None
    column, remedy = table.columns[name], "correct data.columns.weight"
    if not isinstance(column, Numbers):
        raise DataError(f"weight column '{name}' holds text, not numbers", remedy)
    wrong = ~(np.isfinite(column.values) & (column.values >= 0.0))
    if wrong.any():
        row = int(wrong.argmax())
        found = "no value" if np.isnan(column.values[row]) else f"{column.values[row]:g}"
        raise DataError(
            f"weight column '{name}', {table.place(row)}: {found}; a weight is a number from 0", remedy
        )
    if not column.values.any():
        raise DataError(f"weight column '{name}' is 0 in every row", remedy)
    return column
