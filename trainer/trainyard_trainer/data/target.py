"""The columns to predict: their task, their classes, and whether anything can be learned from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainyard_model.schema import Label, Task
from trainyard_trainer.data.settings import DataSettings
from trainyard_trainer.data.table import Numbers, Table, Times, Values
from trainyard_trainer.errors import DataError, closest

_CLASSES_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Target:
    """Class numbers int64 (rows,) or values float64 (rows, targets) of the rows that have one.

    `inferred` says in words what was not told and why it is so.
    """

    names: tuple[str, ...]
    task: Task
    values: NDArray[np.int64] | NDArray[np.float64]
    classes: tuple[Label, ...] = ()
    inferred: tuple[str, ...] = ()

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each row; zero where there are none."""
        return (
            self.values.astype(np.int64, copy=False)
            if self.classes
            else np.zeros(len(self.values), dtype=np.int64)
        )


def with_target(table: Table, names: Sequence[str]) -> tuple[Table, list[str]]:
    """Only rows that have a target can teach or judge.

    Raises:
        DataError: No row has one.
    """
    said = []
    for name in names:
        missing = table.columns[name].missing
        if missing.all():
            raise DataError(f"target '{name}' has no value in any row", "check data.target and the data")
        if missing.any():
            said.append(f"{int(missing.sum())} rows have no '{name}' and are left out")
            table = table.take(np.flatnonzero(~missing))
    return table, said


def read_target(table: Table, names: Sequence[str], settings: DataSettings) -> Target:
    """The target of a table whose rows all have one; several columns are a regression.

    Raises:
        DataError: It does not fit the task, or holds one class only.
    """
    name, why = names[0], ""
    column = table.columns[name]
    task: Task | None = settings.task
    for each in names:
        if isinstance(table.columns[each], Times):
            raise DataError(
                f"target '{each}' holds dates, which cannot be predicted",
                "name another data.target, or make a number of it",
            )
    if task is None and len(names) == 1:
        task, why = _infer(column)
    if task == "Classification":
        target = _classes(name, column, settings.positive_class)
        inferred = (f"classification ({why})", *target.inferred) if why else target.inferred
        return Target(target.names, target.task, target.values, target.classes, inferred)
    values = np.stack([_values(each, table) for each in names], 1)
    return Target(tuple(names), "Regression", values, inferred=(f"regression ({why})",) if why else ())


def _infer(column: Values) -> tuple[Task, str]:
    if not isinstance(column, Numbers):
        return "Classification", "the target holds text"
    distinct = len(np.unique(column.values))
    if distinct <= min(_CLASSES_AT_MOST, len(column.values) / 2) and column.integral:
        return "Classification", f"the target holds {distinct} different whole numbers"
    kind = "whole numbers" if column.integral else "numbers"
    return "Regression", f"the target holds {distinct} different {kind}"


def _values(name: str, table: Table) -> NDArray[np.float64]:
    column = table.columns[name]
    if not isinstance(column, Numbers):
        word = column.as_texts().words[0]
        raise DataError(
            f"target '{name}' holds text such as '{word:.60}', but data.task is Regression",
            "name a numeric target, or set data.task: Classification",
        )
    values = column.values
    if np.isinf(values).any():
        where = table.place(int(np.isinf(values).argmax()))
        raise DataError(f"target '{name}', {where}: infinite value", "correct or remove the row")
    if values.min() == values.max():
        raise DataError(
            f"target '{name}' is {values[0]:g} in all {len(values)} rows",
            "check data.target: nothing to learn",
        )
    return values


def _classes(name: str, column: Values, positive: str | None) -> Target:
    labels: list[Label]
    if isinstance(column, Numbers):
        distinct, codes = np.unique(column.values, return_inverse=True)
        labels = [int(v) for v in distinct] if column.integral else [float(v) for v in distinct]
    else:
        texts = column.as_texts()
        used = sorted(texts.used(), key=lambda code: texts.words[code])
        labels = [texts.words[code] for code in used]
        recode = np.zeros(len(texts.words) + 1, dtype=np.int64)
        recode[used] = np.arange(len(used))
        codes = recode[texts.codes]
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
    inferred: tuple[str, ...] = ()
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
        if positive is None:
            why = (
                "the rarer class" if counts[0] != counts[1] else "the second of two equally frequent classes"
            )
            inferred = (f"'{labels[1]}' counts as positive ({why})",)
    elif positive is not None:
        raise DataError(
            f"data.positiveClass needs a target of two classes; '{name}' has {len(labels)}",
            "remove data.positiveClass",
        )
    return Target((name,), "Classification", codes, tuple(labels), inferred)
