"""Data frames and arrays in memory as tables: the same cells as the same data in a file."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trainyard_model.values import category_text
from trainyard_trainer.data.convert import values_of
from trainyard_trainer.data.images.npz import Arrays
from trainyard_trainer.data.settings import ImageSettings
from trainyard_trainer.data.table import Numbers, Table, Texts, Values
from trainyard_trainer.errors import DataError

_CELLS = (str, bool, int, float, np.generic, decimal.Decimal, datetime.date)


def table_from_frame(frame: Any, image: ImageSettings | None = None) -> tuple[Table, list[str]]:
    """The table, and notices about columns of kinds that cannot be used. The index is no column.

    Args:
        frame: A pandas DataFrame; a NumPy array (rows,) or (rows, columns), whose columns are x0, x1, ...; or
            NumPy arrays by name, one of them of images, as an NPZ file holds them.
        image: Size and channels of images.

    Raises:
        DataError: It has no rows or columns, two columns of one name, or is something else.
    """
    if isinstance(frame, Mapping):
        arrays = {str(name): np.asarray(array) for name, array in frame.items()}
        shapes = {name: array.shape for name, array in arrays.items()}
        return Arrays("the data", shapes, arrays.__getitem__, image or ImageSettings()).read()
    if isinstance(frame, np.ndarray):
        names, cells = _of_array(frame)
    elif hasattr(frame, "columns") and hasattr(frame, "iloc"):
        names = [str(name) for name in frame.columns]
        cells = [frame.iloc[:, i] for i in range(len(names))]
    else:
        raise DataError(
            f"data of type {type(frame).__name__} cannot be used",
            "pass a pandas DataFrame, a NumPy array, or arrays of images and labels by name",
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"the data have two columns named '{twice[0]}'", "rename one of them")
    if not names or not len(cells[0]):
        raise DataError(f"the data have no {'rows' if names else 'columns'}", "check what is passed as data")
    columns: dict[str, Values] = {}
    notices = []
    for name, column in zip(names, cells, strict=True):
        values = _values(column)
        if values is None:
            notices.append(
                f"column '{name}' holds {_kind(column)}, which is not used, and is left out; "
                "make numbers or texts of it"
            )
        else:
            columns[name] = values
    return Table(columns, len(cells[0])), notices


def _of_array(array: NDArray[Any]) -> tuple[list[str], list[NDArray[Any]]]:
    if array.ndim not in (1, 2):
        raise DataError(f"an array of shape {array.shape} is no table", "pass an array (rows, columns)")
    columns = array.reshape(len(array), -1)
    return [f"x{i}" for i in range(columns.shape[1])], [columns[:, i] for i in range(columns.shape[1])]


def _values(column: Any) -> Values | None:
    kind = str(column.dtype)
    if kind == "category":
        return _categories(column)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
        numbers = np.asarray(column)
        if column.dtype.kind == "f" or not (np.abs(numbers.astype(np.float64)) >= 2.0**53).any():
            return Numbers(numbers.astype(np.float64))
    if kind.startswith("Sparse"):
        return _values(np.asarray(column))
    if column.dtype.kind in "OU" and not hasattr(column.dtype, "pyarrow_dtype"):
        return _objects(list(column))
    try:
        return values_of(pa.array(column, from_pandas=True))
    except (pa.ArrowException, TypeError, ValueError):
        return None


def _categories(column: Any) -> Values | None:
    """A column declared categorical is one, whatever its categories are."""
    words = [category_text(word) for word in column.cat.categories.tolist()]
    codes = np.asarray(column.cat.codes).astype(np.int32)
    if any(word is None for word in words):
        return None
    return Texts(tuple(str(word) for word in words), codes)


def _objects(cells: Sequence[Any]) -> Values | None:
    """Cells of any kinds by the text that each stands for; None where one is no single value."""
    try:
        return values_of(pa.array(cells, type=pa.string(), from_pandas=True))
    except (pa.ArrowException, TypeError, ValueError):
        texts = []
    for cell in cells:
        text = category_text(cell)
        if text is not None and not isinstance(cell, _CELLS):
            return None
        texts.append(text)
    return values_of(pa.array(texts, type=pa.string()))


def _kind(column: Any) -> str:
    if column.dtype.kind != "O":
        return str(column.dtype)
    odd = next(
        (type(cell).__name__ for cell in column if cell is not None and not isinstance(cell, _CELLS)), ""
    )
    return f"objects ({odd})"
