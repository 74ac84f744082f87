"""Row objects to columns, with every problem named by row and column. Pure; no value is ever repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from trainyard_model import Schema
from trainyard_trainer.serving.cells import BY_ROLE, kind
from trainyard_trainer.serving.refusal import Problems, Refused

BODY = 'a list of row objects, or {"rows": [...]}'


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


def from_rows(value: Any, schema: Schema, most: int) -> dict[str, Sequence[Any]]:
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
        column.name: BY_ROLE[column.role].read(column.name, [row.get(column.name) for row in rows], problems)
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
                problems.add("missing_column", number, name, BY_ROLE[roles[name]].expected, "nothing")
        for name in row:
            if name not in wanted:
                problems.add(
                    "unknown_column", number, name, no_column(name, names, problems), kind(row[name])
                )
    return objects


def no_column(name: str, names: Sequence[str], problems: Problems) -> str:
    """What to say of a column that the model does not know; the search for the closest one costs."""
    if problems.full:
        return ""
    close = get_close_matches(name[:200], names, n=1, cutoff=0.6)
    return f"no such column; did you mean '{close[0]}'?" if close else "no such column"
