"""A table as people have them: gaps, an empty column, numbers that are names, mixed kinds, free text.

Its target depends on the clean part, so a model that copes with the rest can be told from one that does not.
The category 'Mars' of `branch` occurs in the last tenth of the rows only: by order it is unseen in training.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.samples import draw
from trainyard_trainer.data.table import Numbers, Table, Texts, Values

TARGET = "left"
_BRANCHES = ("Aachen", "Bergen", "Cádiz", "Mars")
_GRADES = ("low", "medium", "high")
_ADJECTIVES = ("quiet", "late", "friendly", "odd", "careful", "loud", "new", "patient")
_NOUNS = ("on the phone", "with invoices", "at the desk", "in meetings", "on Fridays", "with customers")


def make(rows: int, seed: int, part: str) -> Table:
    """Nine columns and the target."""
    at = np.arange(rows, dtype=np.uint64)
    age = (20 + draw.below(at, seed, 0, 45)).astype(np.float64)
    salary = np.round(1500.0 + 40.0 * age + 400.0 * draw.normal(at, seed, 1), 2)
    branch = draw.below(at, seed, 5, 3)
    branch[(np.arange(rows) >= rows * 9 // 10) & (draw.uniform(at, seed, 6) < 0.3)] = 3
    grade = draw.below(at, seed, 7, 3)
    unhappy = (3000.0 - salary) / 600.0 + 0.8 * (grade == 0) - 0.8 * (grade == 2) + 0.5 * (branch == 1)
    left = draw.uniform(at, seed, 8) < 1.0 / (1.0 + np.exp(-unhappy))
    columns: dict[str, Values] = {
        "person": Texts(tuple(f"P{seed}-{i:05d}" for i in range(rows)), np.arange(rows, dtype=np.int32)),
        "age": Numbers(_gaps(age, at, seed, 20, 0.05)),
        "salary": Numbers(_gaps(salary, at, seed, 21, 0.10)),
        "branch": Texts(_BRANCHES, _no_code(branch, at, seed, 22, 0.04)),
        "grade": Texts(_GRADES, _no_code(grade, at, seed, 23, 0.30)),
        "size": Texts(("36", "38", "40", "XL"), draw.below(at, seed, 10, 4).astype(np.int32)),
        "postcode": Numbers((10_000 + 13 * draw.below(at, seed, 9, 40)).astype(np.float64)),
        "remark": _remarks(at, seed),
        "fax": Numbers(np.full(rows, np.nan)),
        TARGET: Texts(("no", "yes"), left.astype(np.int32)),
    }
    return Table(columns, rows)


def _gaps(
    values: NDArray[np.float64], at: NDArray[np.uint64], seed: int, stream: int, share: float
) -> NDArray[np.float64]:
    return np.where(draw.uniform(at, seed, stream) < share, np.nan, values)


def _no_code(
    codes: NDArray[np.int64], at: NDArray[np.uint64], seed: int, stream: int, share: float
) -> NDArray[np.int32]:
    return np.where(draw.uniform(at, seed, stream) < share, -1, codes).astype(np.int32)


def _remarks(at: NDArray[np.uint64], seed: int) -> Texts:
    """Free text: hardly any two alike."""
    first, second = draw.below(at, seed, 30, len(_ADJECTIVES)), draw.below(at, seed, 31, len(_NOUNS))
    words = tuple(
        f"{_ADJECTIVES[a]} {_NOUNS[b]}, note {i}"
        for i, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True))
    )
    return Texts(words, np.arange(len(at), dtype=np.int32))
