"""Raw columns to what networks take: the columns of a table, a column of texts, or a column of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..schema import Schema
from .base import Columns, Inputs, Preprocessor, cut, row_count
from .image import ImagePreprocessor
from .steps import SteppedPreprocessor
from .table import TablePreprocessor
from .text import TextPreprocessor

__all__ = [
    "KINDS",
    "Columns",
    "ImagePreprocessor",
    "Inputs",
    "Preprocessor",
    "SteppedPreprocessor",
    "TablePreprocessor",
    "TextPreprocessor",
    "cut",
    "read_preprocessor",
    "row_count",
]

KINDS: dict[str, type[Preprocessor]] = {
    one.kind: one for one in (TablePreprocessor, TextPreprocessor, ImagePreprocessor)
}


def read_preprocessor(schema: Schema, value: Mapping[str, Any], files: Mapping[str, bytes]) -> Preprocessor:
    """The preprocessor that a package's JSON and files describe.

    Raises:
        KeyError: It is of no kind that is known here.
        PackageError: A file is missing or cannot be read.
    """
    made = SteppedPreprocessor if "steps" in value else KINDS[value["kind"]]
    return made.from_json(schema, value, files)
