"""What scikit-learn's users pass as X, y and weights, as a frame with named columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data


def rows_of(estimator: Any, X: Any, *, reset: bool) -> pandas.DataFrame:
    """X with its own column names if it is a frame that has them, else x0, x1, ...; gaps stay gaps.

    Args:
        estimator: Learns, or is held to, the number of columns and their names.
        X: A data frame or an array (rows, columns).
        reset: Learn, as opposed to check.

    Raises:
        ValueError, TypeError: As scikit-learn has it: no rows, other columns than in `fit`, sparse, complex.
    """
    if isinstance(X, pandas.DataFrame):
        validate_data(estimator, X, skip_check_array=True, reset=reset)
        if len(X) == 0:
            raise ValueError(
                f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required."
            )
        return X.set_axis(_names(X.columns), axis="columns").reset_index(drop=True)
    array = validate_data(estimator, X, dtype=None, ensure_all_finite=False, reset=reset)
    frame = pandas.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
    return _cells_checked(frame).infer_objects() if array.dtype == object else frame


def _names(columns: Iterable[Any]) -> list[str]:
    """Columns that are named by numbers, as frames made from arrays are, become x0, x1, ..."""
    return [name if isinstance(name, str) else f"x{name}" for name in columns]


def _cells_checked(frame: pandas.DataFrame) -> pandas.DataFrame:
    for name in frame:
        for cell in frame[name]:
            if not isinstance(cell, str | bool | float | int | np.generic | None | type(pandas.NA)):
                raise TypeError(f"column {name}: argument must be a string or a number, not {cell!r:.60}")
    return frame


def classes_of(X: Any, y: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The labels as given, and the distinct ones in order.

    Raises:
        ValueError: They are missing, not finite, no classes, or not as many as rows.
    """
    _there(y)
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    check_consistent_length(X, labels)
    return labels, np.unique(labels)


def values_of(X: Any, y: Any) -> np.ndarray[Any, Any]:
    """Target values float64, (rows,) or (rows, targets).

    Raises:
        ValueError: They are missing, not finite, or not as many as rows.
    """
    _there(y)
    values = check_array(y, ensure_2d=False, dtype="numeric", input_name="y").astype(np.float64)
    check_consistent_length(X, values)
    return np.asarray(values)


def _there(y: Any) -> None:
    if y is None:
        raise ValueError("this estimator requires y to be passed, but the target y is None")


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """A column name that is not taken."""
    names = set(taken)
    while wanted in names:
        wanted += "_"
    return wanted
