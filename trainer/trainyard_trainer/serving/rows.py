"""Row objects to columns, with every problem named by row and column. Pure; no value is ever repeated.

What passes here the model can take: numbers become float64 with NaN for gaps by the rules that files and data
frames are read by.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from trainyard_model import NUMERIC, Schema
from trainyard_model.values import is_missing
from trainyard_trainer.serving.refusal import Problems, Refused

NUMBER, CATEGORY = "number or null", "string, number, boolean or null"
BODY = 'a list of row objects, or {"rows": [...]}'
_LARGEST = 1000  # bits; beyond them a whole number is no float, and as a category it is a text
_KINDS = {type(None): "null", bool: "boolean", int: "number", float: "number", str: "string", list: "array"}


def kind(value: Any) -> str:
    """The JSON type of a value."""
    return _KINDS.get(type(value), "object")


def parse(body: bytes) -> Any:
    """The JSON of a body.

    Raises:
        Refused: 400; it is none.
    """
    try:
        return json.loads(body, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        place = (
            f" at line {error.lineno}, column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise Refused(400, f"the body is not JSON{place}", reasons=["not_json"]) from None


def _constant(name: str) -> NoReturn:
    raise Refused(400, f"{name} is not JSON; write null for a missing value", reasons=["not_json"])


def too_many(rows: int, most: int) -> Refused:
    """The refusal of a request with too many rows."""
    return Refused(413, f"{rows} rows; this server takes at most {most} a request", reasons=["too_many_rows"])


def from_rows(value: Any, schema: Schema, most: int) -> dict[str, list[Any]]:
    """Columns for the model, from the JSON of a /predict body.

    Raises:
        Refused: 413 for too many rows, 422 with the problems.
    """
    problems = Problems()
    if isinstance(value, dict) and set(value) == {"rows"}:
        value = value["rows"]
    if not isinstance(value, list):
        problems.add("shape", None, None, BODY, kind(value))
        problems.check()
    if len(value) > most:
        raise too_many(len(value), most)
    rows = _complete(value, schema, problems)
    columns = {
        column.name: read_cells(
            column.role == NUMERIC, column.name, [row.get(column.name) for row in rows], problems
        )
        for column in schema.columns
    }
    problems.check()
    return columns


def _complete(rows: list[Any], schema: Schema, problems: Problems) -> list[Mapping[str, Any]]:
    """The rows as objects, after every missing and unknown column was noted."""
    names = [column.name for column in schema.columns]
    wanted, roles = set(names), {column.name: column.role for column in schema.columns}
    objects: list[Mapping[str, Any]] = []
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            problems.add("shape", number, None, "a row object", kind(row))
            objects.append({})
            continue
        objects.append(row)
        if row.keys() == wanted:
            continue
        for name in names:
            if name not in row:
                problems.add("missing_column", number, name, expected(roles[name] == NUMERIC), "nothing")
        for name in row:
            if name not in wanted:
                problems.add(
                    "unknown_column", number, name, no_column(name, names, problems), kind(row[name])
                )
    return objects


def expected(numeric: bool) -> str:
    """What a cell of a column may be."""
    return NUMBER if numeric else CATEGORY


def no_column(name: str, names: Sequence[str], problems: Problems) -> str:
    """What to say of a column that the model does not know; the search for the closest one costs."""
    if problems.full:
        return ""
    close = get_close_matches(name[:200], names, n=1, cutoff=0.6)
    return f"no such column; did you mean '{close[0]}'?" if close else "no such column"


def read_cells(numeric: bool, name: str, cells: Sequence[Any], problems: Problems) -> list[Any]:
    """One column as the model takes it; problems are noted with their row."""
    if not numeric:
        for row, cell in enumerate(cells):
            if isinstance(cell, list | dict):
                problems.add("not_a_category", row, name, CATEGORY, kind(cell))
        return [str(cell) if type(cell) is int and cell.bit_length() > _LARGEST else cell for cell in cells]
    return [_number(cell, row, name, problems) for row, cell in enumerate(cells)]


def _number(cell: Any, row: int, name: str, problems: Problems) -> float:
    if cell is None:
        return math.nan
    try:
        if isinstance(cell, str) and is_missing(cell):
            return math.nan
        number = float(cell)
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):
        problems.add("not_a_number", row, name, NUMBER, kind(cell))
        return math.nan
    if math.isinf(number):
        problems.add(
            "not_finite", row, name, "a finite number or null", f"{kind(cell)} without a finite value"
        )
    return number
