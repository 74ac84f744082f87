"""DataFrames and arrays become the table that the same data in a file would be."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainyard_trainer.data.frame import table_from_frame
from trainyard_trainer.data.identity import data_digest
from trainyard_trainer.data.read import read_parquet
from trainyard_trainer.data.read_csv import read_csv
from trainyard_trainer.data.settings import CSVSettings
from trainyard_trainer.data.table import Numbers, Texts, Times
from trainyard_trainer.errors import DataError

FRAME = pd.DataFrame(
    {
        "number": [1.5, None, 3.0],
        "whole": pd.array([1, None, 3], dtype="Int64"),
        "flag": [True, False, True],
        "word": ["a", None, "b"],
        "mixed": [1, "two", None],
        "moment": pd.to_datetime(["2024-05-01", "2024-05-02", None]),
        "id": ["9007199254740993", "9007199254740992", "1"],
        "y": [0, 1, 0],
    }
)


def test_a_frame_is_the_same_data_as_its_csv_and_its_parquet(tmp_path: Path) -> None:
    table, notices = table_from_frame(FRAME)
    assert notices == []
    kinds = {name: type(column) for name, column in table.columns.items()}
    assert kinds == {
        "number": Numbers,
        "whole": Numbers,
        "flag": Texts,
        "word": Texts,
        "mixed": Texts,
        "moment": Times,
        "id": Texts,
        "y": Numbers,
    }
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    FRAME.drop(columns="mixed").assign(mixed=["1", "two", None]).to_parquet(tmp_path / "t.parquet")
    digest = data_digest(table)
    assert data_digest(read_csv(tmp_path / "t.csv", CSVSettings())[0]) == digest
    assert data_digest(read_parquet(tmp_path / "t.parquet")[0]) == digest


def test_a_categorical_column_stays_one() -> None:
    frame = pd.DataFrame({"size": pd.Categorical([36, 38, None, 36], categories=[36, 38, 40])})
    column = table_from_frame(frame)[0].columns["size"]
    assert isinstance(column, Texts)
    assert column.words == ("36", "38", "40")
    assert column.codes.tolist() == [0, 1, -1, 0]


def test_integers_that_float64_cannot_hold_are_kept_apart() -> None:
    column = table_from_frame(pd.DataFrame({"id": [2**53, 2**53 + 1]}))[0].columns["id"]
    assert isinstance(column, Texts)
    assert column.words == ("9007199254740992", "9007199254740993")


def test_arrays() -> None:
    table, _ = table_from_frame(np.array([[1, 2], [3, 4], [5, 6]]))
    assert list(table.columns) == ["x0", "x1"]
    assert table.columns["x1"].cells().tolist() == [2, 4, 6]
    assert table_from_frame(np.array(["a", "b"]))[0].columns["x0"].cells().tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        pytest.param([[1], [2]], "column 'x' holds objects (list), which is not used", id="lists"),
        pytest.param([datetime.timedelta(1)] * 2, "column 'x' holds timedelta64", id="durations"),
        pytest.param([1 + 2j, 0j], "column 'x' holds complex128", id="complex"),
    ],
)
def test_columns_of_other_kinds_are_left_out_by_name(cells: list[Any], said: str) -> None:
    table, notices = table_from_frame(pd.DataFrame({"x": cells, "y": [0, 1]}))
    assert list(table.columns) == ["y"]
    assert notices[0].startswith(said)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        pytest.param(FRAME.iloc[:0], "have no rows", id="no-rows"),
        pytest.param(pd.DataFrame(index=[1, 2]), "have no columns", id="no-columns"),
        pytest.param(FRAME[["y", "y"]], "two columns named 'y'", id="twice"),
        pytest.param(np.zeros((2, 2, 2)), r"shape \(2, 2, 2\) is no table", id="cube"),
        pytest.param([1, 2], "type list cannot be used", id="list"),
    ],
)
def test_what_is_no_table(frame: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        table_from_frame(frame)
