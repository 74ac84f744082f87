"""What each column is for: inferred where nothing is said, refused where what is said cannot be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainyard_model.schema import CATEGORICAL, NUMERIC, Column, Role
from trainyard_trainer.data.settings import DataSettings
from trainyard_trainer.data.table import Numbers, Table, Texts, Values
from trainyard_trainer.errors import DataError, closest

_MOSTLY = 0.9
_FEW = 20


@dataclass(frozen=True, slots=True)
class Roles:
    """Features in the network's order (numeric first), columns that identify a row, what was left out."""

    features: tuple[Column, ...]
    identity: tuple[str, ...]
    notices: tuple[str, ...]


def check_names(table: Table, settings: DataSettings) -> None:
    """Every column that the specification names must be there.

    Raises:
        DataError: One is not; the message has the closest name that is.
    """
    names = list(table.columns)
    columns = settings.columns
    named = {
        "data.target": (settings.target,) if settings.target else (),
        "data.targets": settings.targets,
        "data.columns.drop": columns.drop,
        "data.columns.numeric": columns.numeric,
        "data.columns.categorical": columns.categorical,
        "data.columns.key": columns.key,
    }
    for field, wanted in named.items():
        for name in wanted:
            if name not in table.columns:
                raise DataError(
                    f"{field}: the data have no column '{name}'; {closest(name, names)}", f"correct {field}"
                )


def infer(table: Table, targets: Iterable[str], settings: DataSettings) -> tuple[Table, Roles]:
    """Decide the role of each column; the table comes back with columns in the kind of their role.

    Raises:
        DataError: A column cannot have its role, or there is nothing to learn from.
    """
    unused = {*targets, *settings.columns.drop, *settings.columns.key}
    columns, features, notices = dict(table.columns), [], []
    for name in (name for name in table.columns if name not in unused):
        column = table.columns[name]
        _check_missing(name, column, table.rows)
        role, notice = _role(name, column, settings)
        if role is None:
            notices.append(notice)
            continue
        integers = role == CATEGORICAL and isinstance(column, Numbers)
        if isinstance(column, Numbers) and role == CATEGORICAL:
            columns[name] = column.as_texts()
        features.append(Column(name, role, integers))
    if not features:
        raise DataError("no column is left to learn from", "check data.columns.drop and the data's columns")
    ordered = sorted(features, key=lambda c: c.role != NUMERIC)
    identity = settings.columns.key or tuple(c.name for c in ordered)
    return Table(columns, table.rows), Roles(tuple(ordered), identity, tuple(notices))


def _check_missing(name: str, column: Values, rows: int) -> None:
    if int(column.missing.sum()) == rows:
        raise DataError(f"column '{name}' has no value in any row", "name it in data.columns.drop")


def _role(name: str, column: Values, settings: DataSettings) -> tuple[Role | None, str]:
    if name in settings.columns.categorical:
        return CATEGORICAL, ""
    if isinstance(column, Numbers):
        if (infinite := np.isinf(column.values)).any():
            row = int(infinite.argmax()) + 1
            raise DataError(
                f"column '{name}', row {row}: infinite value", "correct it, or leave the cell empty"
            )
        return NUMERIC, ""
    odd = _not_numbers(column)
    if name in settings.columns.numeric:
        raise DataError(*_odd_cell(name, column, odd))
    distinct = len(column.used())
    if distinct > _FEW and len(odd) < (1 - _MOSTLY) * distinct:
        message, remedy = _odd_cell(name, column, odd)
        raise DataError(message + ", though most of the column are numbers", remedy)
    if distinct > max(_FEW, len(column.codes) / 2):
        return None, f"column '{name}' is left out: {distinct} different texts (an identifier, or free text)"
    return CATEGORICAL, ""


def _not_numbers(column: Texts) -> list[int]:
    def is_number(word: str) -> bool:
        try:
            float(word)
        except ValueError:
            return False
        return True

    return [code for code in column.used() if not is_number(column.words[code])]


def _odd_cell(name: str, column: Texts, odd: list[int]) -> tuple[str, str]:
    row = int(np.isin(column.codes, odd).argmax())
    word = column.words[column.codes[row]]
    return (
        f"column '{name}', row {row + 1}: '{word:.60}' is not a number",
        f"correct it, add it to data.source.csv.nullValues if it means a gap, "
        f"or name '{name}' in data.columns.categorical",
    )
