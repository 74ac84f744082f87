"""The column to predict: its task, its classes, and whether anything can be learned from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainyard_model.schema import Label, Task
from trainyard_trainer.data.settings import DataSettings
from trainyard_trainer.data.table import Numbers, Texts, Values
from trainyard_trainer.errors import DataError, closest

_CLASSES_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Target:
    """Class numbers int64 (rows,) or values float64 (rows, targets) of the rows that have one."""

    names: tuple[str, ...]
    task: Task
    values: NDArray[np.int64] | NDArray[np.float64]
    classes: tuple[Label, ...] = ()


def read_target(columns: Mapping[str, Values], settings: DataSettings) -> Target:
    """The target of a table whose rows all have one; several columns are a regression.

    Raises:
        DataError: It does not fit the task, or holds one class only.
    """
    name, column = next(iter(columns.items()))
    task = settings.task or ("Regression" if len(columns) > 1 else _infer(column))
    if task == "Regression":
        values = np.stack([_values(name, column) for name, column in columns.items()], 1)
        return Target(tuple(columns), "Regression", values)
    return _classes(name, column, settings.positive_class)


def _infer(column: Values) -> Task:
    if isinstance(column, Texts):
        return "Classification"
    few = len(np.unique(column.values)) <= min(_CLASSES_AT_MOST, len(column.values) / 2)
    return "Classification" if few and column.integral else "Regression"


def _values(name: str, column: Values) -> NDArray[np.float64]:
    if isinstance(column, Texts):
        raise DataError(
            f"target '{name}' holds text such as '{column.words[0]}', but data.task is Regression",
            "name a numeric target, or set data.task: Classification",
        )
    values = column.values
    if np.isinf(values).any():
        row = int(np.isinf(values).argmax()) + 1
        raise DataError(f"target '{name}', row {row}: infinite value", "correct or remove the row")
    if values.min() == values.max():
        raise DataError(
            f"target '{name}' is {values[0]} in all {len(values)} rows", "check data.target: nothing to learn"
        )
    return values


def _classes(name: str, column: Values, positive: str | None) -> Target:
    labels: list[Label]
    if isinstance(column, Numbers):
        distinct, codes = np.unique(column.values, return_inverse=True)
        labels = [int(v) for v in distinct] if column.integral else [float(v) for v in distinct]
    else:
        used = sorted(column.used(), key=lambda code: column.words[code])
        labels = [column.words[code] for code in used]
        recode = np.zeros(len(column.words) + 1, dtype=np.int64)
        recode[used] = np.arange(len(used))
        codes = recode[column.codes]
    if len(labels) == 1:
        raise DataError(
            f"target '{name}' has one class only ({labels[0]!r} in all {len(codes)} rows)",
            "check data.target, and that the rows were not filtered by it",
        )
    if len(labels) > len(codes) / 2:
        raise DataError(
            f"target '{name}' has {len(labels)} classes in {len(codes)} rows",
            "check data.target, or set data.task: Regression if it is a quantity",
        )
    return _positive_last(name, labels, codes.astype(np.int64), positive)


def _positive_last(name: str, labels: list[Label], codes: NDArray[np.int64], positive: str | None) -> Target:
    """Of two classes the positive one is the second; the rarer where nothing is said."""
    texts = [str(label) for label in labels]
    if positive is not None and positive not in texts:
        raise DataError(
            f"data.positiveClass: target '{name}' has no class '{positive}'; {closest(positive, texts)}",
            "name one of the classes",
        )
    if len(labels) == 2:
        counts = np.bincount(codes, minlength=2)
        first = texts.index(positive) == 0 if positive is not None else counts[0] < counts[1]
        if first:
            labels, codes = labels[::-1], 1 - codes
    elif positive is not None:
        raise DataError(
            f"data.positiveClass needs a target of two classes; '{name}' has {len(labels)}",
            "remove data.positiveClass",
        )
    return Target((name,), "Classification", codes, tuple(labels))
