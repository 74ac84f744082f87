"""What a cell may be, by the role of its column: in words, in JSON, in the protocol, and checked. Pure.

What passes here the model can take, with one exception: whether a file is an image shows when it is decoded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainyard_model import CATEGORICAL, IMAGE, NUMERIC, TEXT
from trainyard_model.schema import Role
from trainyard_model.values import is_missing
from trainyard_trainer.serving.refusal import Problems

MOST_CHARACTERS = 1_000_000
_LARGEST = 1000  # bits; beyond them a whole number is no float, and as a category it is a text
_KINDS = {type(None): "null", bool: "boolean", int: "number", float: "number", str: "string", list: "array"}


def kind(value: Any) -> str:
    """The JSON type of a value."""
    return _KINDS.get(type(value), "object")


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a column.

    Attributes:
        expected: What one may be, in words.
        schema: The same as JSON Schema.
        datatype: The protocol's type of a tensor of them.
        read: Column's name and cells to cells that the model takes; problems are noted with their row.
    """

    expected: str
    schema: Mapping[str, Any]
    datatype: str
    read: Callable[[str, Sequence[Any], Problems], Sequence[Any]]


def _numbers(name: str, cells: Sequence[Any], problems: Problems) -> list[float]:
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
        problems.add("not_a_number", row, name, BY_ROLE[NUMERIC].expected, kind(cell))
        return math.nan
    if math.isinf(number):
        problems.add(
            "not_finite", row, name, "a finite number or null", f"{kind(cell)} without a finite value"
        )
    return number


def _categories(name: str, cells: Sequence[Any], problems: Problems) -> list[Any]:
    for row, cell in enumerate(cells):
        if isinstance(cell, list | dict):
            problems.add("not_a_category", row, name, BY_ROLE[CATEGORICAL].expected, kind(cell))
    return [str(cell) if type(cell) is int and cell.bit_length() > _LARGEST else cell for cell in cells]


def _texts(name: str, cells: Sequence[Any], problems: Problems) -> Sequence[Any]:
    for row, cell in enumerate(cells):
        if cell is not None and not isinstance(cell, str):
            problems.add("not_a_text", row, name, BY_ROLE[TEXT].expected, kind(cell))
        elif cell is not None and len(cell) > MOST_CHARACTERS:
            limit = f"at most {MOST_CHARACTERS} characters"
            problems.add("too_long", row, name, limit, f"{len(cell)}")
    return cells


def _images(name: str, cells: Sequence[Any], problems: Problems) -> Sequence[Any]:
    for row, cell in enumerate(cells):
        if cell is not None and not isinstance(cell, str | list | np.ndarray):  # None may be noted already
            problems.add("not_an_image", row, name, BY_ROLE[IMAGE].expected, kind(cell))
    return cells


BY_ROLE: dict[Role, Cells] = {
    NUMERIC: Cells("number or null", {"type": ["number", "null"]}, "FP64", _numbers),
    CATEGORICAL: Cells(
        "string, number, boolean or null",
        {"type": ["string", "number", "boolean", "null"]},
        "BYTES",
        _categories,
    ),
    TEXT: Cells("string or null", {"type": ["string", "null"]}, "BYTES", _texts),
    IMAGE: Cells(
        "a PNG or JPEG file in base64, or rows of pixels",
        {
            "oneOf": [
                {"type": "string", "contentEncoding": "base64", "description": "a PNG or JPEG file"},
                {"type": "array", "description": "rows of pixels, 0 to 255"},
            ]
        },
        "UINT8",
        _images,
    ),
}
