"""Single cells to numbers and category texts: one rule for training, files, JSON requests and data frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelInputError

MISSING_TEXTS = frozenset({"", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>", "-nan"})


def is_missing(value: Any) -> bool:
    """None, NaN, pandas' NA and the texts that files use for a gap."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, str):
        return value.strip() in MISSING_TEXTS
    return isinstance(value, float | np.floating) and math.isnan(value)


def number_text(value: float) -> str:
    """A whole number without a decimal point, anything else in its shortest exact form."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def category_text(value: Any, integers: bool = False) -> str | None:
    """The text that stands for a category; None where it is missing.

    Args:
        value: A cell: text, number or boolean.
        integers: The column held numbers in training, so that "03" and 3.0 both mean 3.
    """
    if is_missing(value):
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | float | np.integer | np.floating):
        return number_text(float(value)) if math.isfinite(float(value)) else str(float(value))
    text = str(value).strip()
    if integers:
        try:
            return number_text(float(text))
        except (ValueError, OverflowError):
            return text
    return text.lower() if text in ("True", "False", "TRUE", "FALSE") else text


def to_numbers(values: Any, column: str) -> NDArray[np.float64]:
    """A column as float64 with NaN for gaps; refuses text and infinities by row.

    Raises:
        ModelInputError: A cell is no finite number.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        numbers = np.empty(len(array), dtype=np.float64)
        for row, value in enumerate(array.tolist()):
            numbers[row] = _number(value, column, row)
    else:
        numbers = array.astype(np.float64)
    infinite = np.isinf(numbers)
    if infinite.any():
        row = int(infinite.argmax())
        raise ModelInputError(f"{numbers[row]} is not a finite number", column, row)
    return numbers


def _number(value: Any, column: str, row: int) -> float:
    if is_missing(value):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        said = f"{value!r:.60} is not a number; leave the cell empty when the value is missing"
        raise ModelInputError(said, column, row) from None


def to_list(values: Any) -> Sequence[Any]:
    """Any array-like as a list of Python values."""
    return values.tolist() if hasattr(values, "tolist") else list(values)
