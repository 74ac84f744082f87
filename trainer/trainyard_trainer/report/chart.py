"""The pieces of a report: tables, charts, sections."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns; written as MLflow's own tables are, so that its viewer shows them."""

    columns: tuple[str, ...]
    data: list[list[Any]]

    def to_json(self) -> bytes:
        """Plain values; what is not a finite number becomes null."""
        body = {"columns": list(self.columns), "data": [[plain(cell) for cell in row] for row in self.data]}
        return (json.dumps(body, ensure_ascii=False, allow_nan=False) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture and the numbers in it. `name` is the files' stem; `png` may be missing, `svg` may not."""

    name: str
    title: str
    says: str
    svg: str
    table: Table
    png: bytes | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A table for the page: the first `shown` rows, all of them in the file. `columns` of it are shown."""

    name: str
    title: str
    table: Table
    shown: int = 20
    columns: tuple[str, ...] | None = None
    says: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """A text, in spans that follow each other, each with how much it counted: -1, against, to 1, for."""

    heading: str
    spans: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Passages:
    """Texts for the page, the words that counted marked; all texts in the file."""

    name: str
    title: str
    table: Table
    passages: Sequence[Passage]
    says: str = ""
    folded: bool = False


Block = Chart | Listing | Passages


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what it says in words, and what shows it."""

    anchor: str
    title: str
    sentences: Sequence[str] = ()
    blocks: Sequence[Block] = field(default_factory=tuple)


def plain(value: Any) -> Any:
    """A value that JSON has."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.8g}") if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
