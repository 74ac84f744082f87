"""The part of each row by what the specification says decides it: hash, order, group, column or files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.groups import assign
from trainyard_trainer.data.identity import Hashes, mix, row_hashes, seeded
from trainyard_trainer.data.settings import SplitSettings
from trainyard_trainer.data.split import Parts, split
from trainyard_trainer.data.table import Numbers, Rows, Table, Times
from trainyard_trainer.errors import DataError

SPELLINGS = {
    "train": ("train", "training", "trn", "fit", "learn"),
    "validation": ("validation", "valid", "val", "dev", "development", "eval", "evaluation", "tune"),
    "test": ("test", "testing", "tst", "holdout", "hold-out", "hold_out", "held-out"),
}
PART_OF = {word: part for part, words in SPELLINGS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Marks:
    """What a split can go by.

    Attributes:
        hashes: Identity of each row.
        labels: Class of each row; all zero where there are none.
        groups: Identity of each row's group, for by: Group.
    """

    hashes: Hashes
    labels: NDArray[np.int64]
    groups: Hashes | None = None


def group_hashes(table: Table, settings: SplitSettings, hashes: Hashes) -> tuple[Hashes | None, list[str]]:
    """Identity of each row's group; a row without one is a group of its own."""
    if settings.by != "Group" or settings.column is None:
        return None, []
    missing = table.columns[settings.column].missing
    groups = np.where(missing, hashes, row_hashes(table, [settings.column]))
    if not missing.any():
        return groups, []
    return groups, [f"{int(missing.sum())} rows have no '{settings.column}' and are groups of their own"]


def partition(table: Table, marks: Marks, settings: SplitSettings) -> tuple[Parts, list[str]]:
    """Assign every row, and say what was done where it was not asked for.

    Raises:
        DataError: The column that decides cannot; the message names it and the row.
    """
    match settings.by:
        case "Hash":
            return split(marks.hashes, marks.labels, settings), []
        case "Group":
            shares = (1.0 - settings.validation - settings.test, settings.validation, settings.test)
            return _parts(_grouped(marks, shares, settings.seed)), []
        case "Order":
            return _by_order(table, settings), []
        case "Column":
            number = _named_parts(table, settings.column or "")
            return _completed(number, marks, settings, f"column '{settings.column}'")
        case "Files":
            order = np.array(
                [0, *([1] if settings.validation_file else []), *([2] if settings.test_file else [])]
            )
            if table.origin is None:
                raise DataError("data.split.by is Files, but there is one table only", "use another split.by")
            return _completed(order[table.origin], marks, settings, "split.files")


def divide(marks: Marks, rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Cut a share off some rows, by their groups if they have any, else by hash: what stays, what is cut."""
    if share <= 0.0:
        return rows, rows[:0]
    if marks.groups is not None:
        chosen = Marks(marks.hashes[rows], marks.labels[rows], marks.groups[rows])
        cut = _grouped(chosen, (1.0 - share, share), seed) == 1
        return rows[~cut], rows[cut]
    parts = split(marks.hashes[rows], marks.labels[rows], SplitSettings(share, 0.0, seed))
    return rows[parts.train], rows[parts.validation]


def _grouped(marks: Marks, shares: tuple[float, ...], seed: int) -> NDArray[np.int64]:
    assert marks.groups is not None  # noqa: S101 - `group_hashes` made them
    return assign(marks.groups, marks.labels, shares, seeded(np.zeros(1, dtype=np.uint64), seed))


def _parts(number: NDArray[np.int64]) -> Parts:
    return Parts(*(np.flatnonzero(number == part) for part in range(3)))


def _by_order(table: Table, settings: SplitSettings) -> Parts:
    """The last rows test, those before them validate; rows of the same moment stay together."""
    rows = table.rows
    at = np.arange(rows, dtype=np.float64)
    if settings.column is not None:
        at = _moments(table, settings.column)
    order = np.argsort(at, kind="stable")
    edges = np.append(np.flatnonzero(np.diff(at[order])) + 1, rows)  # where a new moment begins
    wanted = rows * np.array([1.0 - settings.validation - settings.test, 1.0 - settings.test])
    first, second = (int(edges[np.abs(edges - w).argmin()]) for w in wanted)
    return Parts(*(np.sort(order[a:b]) for a, b in ((0, first), (first, second), (second, rows))))


def _moments(table: Table, name: str) -> NDArray[np.float64]:
    column = table.columns[name]
    if column.missing.any():
        where = table.place(int(column.missing.argmax()))
        raise DataError(
            f"data.split.column '{name}', {where}: no value, so the row has no place in the order",
            "fill it, or remove the row",
        )
    if isinstance(column, Numbers | Times):
        return column.values
    texts = column.as_texts()
    raise DataError(
        f"data.split.column '{name}' holds text such as '{texts.words[texts.codes[0]]:.40}', "
        "which has no order",
        "use numbers or dates like 2024-05-31, or sort the file and leave out data.split.column",
    )


def _named_parts(table: Table, name: str) -> NDArray[np.int64]:
    column = table.columns[name].as_texts()
    numbers = []
    for code, word in enumerate(column.words):
        part = PART_OF.get(word.strip().lower())
        if part is None and (column.codes == code).any():
            where = table.place(int((column.codes == code).argmax()))
            raise DataError(
                f"data.split.column '{name}', {where}: '{word:.40}' names no part",
                "write train, validation or test",
            )
        numbers.append(list(SPELLINGS).index(part) if part else 0)
    if column.missing.any():
        where = table.place(int(column.missing.argmax()))
        raise DataError(f"data.split.column '{name}', {where}: no value", "write train, validation or test")
    return np.array(numbers, dtype=np.int64)[column.codes]


def _completed(
    number: NDArray[np.int64], marks: Marks, settings: SplitSettings, source: str
) -> tuple[Parts, list[str]]:
    """A part that the column or the files do not have is cut off the training rows by hash."""
    parts, said = _parts(number), []
    train, validation, test = parts.train, parts.validation, parts.test
    if not len(test) and settings.test > 0:
        train, test = divide(marks, train, settings.test, settings.seed)
        said.append(f"{source} has no test rows: {len(test)} training rows are set aside by hash")
    if not len(validation) and settings.validation > 0:
        train, validation = divide(marks, train, settings.validation, settings.seed + 1)
        said.append(f"{source} has no validation rows: {len(validation)} training rows are set aside by hash")
    return Parts(train, validation, test), said


def deal_folds(marks: Marks, rows: Rows, folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each of some rows: classes spread evenly, equal rows and groups together."""
    if marks.groups is not None:
        chosen = Marks(marks.hashes[rows], marks.labels[rows], marks.groups[rows])
        return _grouped(chosen, (1.0 / folds,) * folds, seed)
    order = seeded(marks.hashes[rows], seed)
    distinct, twin_of = np.unique(order, return_inverse=True)
    label = np.full(len(distinct), np.iinfo(np.int64).max)
    np.minimum.at(label, twin_of, marks.labels[rows])
    dealt = np.empty(len(distinct), dtype=np.int64)
    dealt[np.lexsort((mix(distinct), label))] = np.arange(len(distinct)) % folds
    return dealt[twin_of]
