"""Raw cells, in whatever shape they come, mean in serving what they meant in training."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from trainyard_model import Column, ModelInputError, Schema, TablePreprocessor
from trainyard_model.embedding import MISSING, RESERVED, UNSEEN
from trainyard_model.values import category_text

SCHEMA = Schema(
    "Classification",
    ("y",),
    (Column("age", "numeric"), Column("job", "categorical"), Column("zone", "categorical", integers=True)),
    ("no", "yes"),
)
PREPROCESSOR = TablePreprocessor(SCHEMA, (40.0,), (10.0,), (("clerk", "true"), ("3", "12")))


def encode(**columns: object) -> tuple[list[list[float]], list[list[int]]]:
    numeric, codes = PREPROCESSOR.encode(columns)
    return numeric.tolist(), codes.tolist()


def test_known_missing_and_unseen_values() -> None:
    numeric, codes = encode(
        age=[50, None, "30", float("nan")], job=["clerk", None, "pilot", "?"], zone=[3, 3.0, "03", "north"]
    )
    assert numeric == [[1.0], [0.0], [-1.0], [0.0]]
    assert [c[0] for c in codes] == [RESERVED, MISSING, UNSEEN, MISSING]
    assert [c[1] for c in codes] == [RESERVED, RESERVED, RESERVED, UNSEEN]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"age": [50, 30], "job": ["clerk", None], "zone": [3, 12]}),
        pd.DataFrame({"age": pd.array([50, 30], "Int64"), "job": ["clerk", pd.NA], "zone": ["3", "12"]}),
        pd.DataFrame({"age": [50.0, 30.0], "job": pd.Categorical(["clerk", None]), "zone": [3.0, 12.0]}),
        pd.DataFrame({"age": ["50", "30"], "job": ["clerk", ""], "zone": np.array([3, 12], dtype=np.int8)}),
    ],
    ids=["plain", "nullable", "categorical", "text"],
)
def test_data_frames_of_all_kinds_are_the_same(frame: pd.DataFrame) -> None:
    numeric, codes = PREPROCESSOR.encode(frame)
    assert numeric.tolist() == [[1.0], [-1.0]]
    assert codes.tolist() == [[RESERVED, RESERVED], [MISSING, RESERVED + 1]]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"age": [1], "zone": [1]}, "missing column 'job'"),
        ({"age": [1, "x"], "job": ["a", "b"], "zone": [1, 1]}, "column 'age', row 1: 'x' is not a number"),
        ({"age": [math.inf], "job": ["a"], "zone": [1]}, "column 'age', row 0: inf is not a finite number"),
        ({"age": [1], "job": ["a", "b"], "zone": [1]}, "columns differ in length"),
    ],
)
def test_bad_rows_are_named(columns: dict[str, list[object]], message: str) -> None:
    with pytest.raises(ModelInputError, match=message):
        PREPROCESSOR.encode(columns)


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (3.0, "3"), (3.5, "3.5"), (True, "true"), ("True", "true"), (" a ", "a"), ("NaN", None)],
)
def test_category_texts(value: object, text: str | None) -> None:
    assert category_text(value) == text


def test_true_and_one_are_different_categories() -> None:
    codes = PREPROCESSOR.codes(0, [True, 1, 1.0])
    assert codes.tolist() == [RESERVED + 1, UNSEEN, UNSEEN]
