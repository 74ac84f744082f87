"""Row hashes and digests depend on content, and on nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from trainyard_trainer.data.identity import data_digest, holdout_digest, row_hashes
from trainyard_trainer.data.read import read_parquet
from trainyard_trainer.data.read_csv import read_csv
from trainyard_trainer.data.settings import CSVSettings
from trainyard_trainer.data.table import Numbers, Table, Texts

CSV = "a,b,y\n1,red,0\n2.5,blue,1\n,red,0\n-0.0,,1\n"


@pytest.fixture
def table(tmp_path: Path) -> Table:
    (tmp_path / "t.csv").write_text(CSV)
    return read_csv(tmp_path / "t.csv", CSVSettings())[0]


def test_the_same_content_from_another_format_is_the_same_data(table: Table, tmp_path: Path) -> None:
    arrow = pa.table({"a": [1.0, 2.5, None, 0.0], "b": ["red", "blue", "red", None], "y": [0, 1, 0, 1]})
    pyarrow.parquet.write_table(arrow, tmp_path / "t.parquet")
    other = read_parquet(tmp_path / "t.parquet")[0]
    assert data_digest(other) == data_digest(table)
    assert (row_hashes(other, ["a", "b"]) == row_hashes(table, ["b", "a"])).all()


def test_any_change_changes_the_digest(table: Table) -> None:
    digest = data_digest(table)
    cell = {**table.columns, "a": Numbers(np.array([1.0, 2.5, np.nan, 1.0]))}
    name = {("A" if key == "a" else key): column for key, column in table.columns.items()}
    order = table.take(np.array([1, 0, 2, 3]))
    gap = {**table.columns, "b": Texts(("red", "blue"), np.array([0, 1, 0, 1], dtype=np.int32))}
    others = [Table(cell, 4), Table(name, 4), order, Table(gap, 4)]
    assert len({digest, *(data_digest(other) for other in others)}) == 5


def test_words_that_no_row_uses_are_not_content(table: Table) -> None:
    column = table.columns["b"]
    assert isinstance(column, Texts)
    padded = Texts((*column.words, "green"), column.codes)
    assert data_digest(Table({**table.columns, "b": padded}, 4)) == data_digest(table)


def test_the_holdout_is_the_same_in_any_order(table: Table) -> None:
    turned = table.take(np.array([3, 1, 0, 2]))
    assert holdout_digest(table, np.array([0, 1])) == holdout_digest(turned, np.array([1, 2]))
    assert holdout_digest(table, np.array([0, 1])) != holdout_digest(table, np.array([0, 2]))


def test_a_number_hashes_alike_among_numbers_and_among_texts() -> None:
    numbers = Table({"a": Numbers(np.array([3.0, 7.5]))}, 2)
    texts = Table({"a": Texts(("7.5", "3", "x"), np.array([1, 0, 2], dtype=np.int32))}, 3)
    assert row_hashes(numbers, ["a"]).tolist() == row_hashes(texts, ["a"]).tolist()[:2]


def test_rows_hash_apart() -> None:
    rng = np.random.default_rng(0)
    table = Table({"a": Numbers(rng.normal(size=100_000)), "b": Numbers(np.arange(1e5) % 7)}, 100_000)
    assert len(np.unique(row_hashes(table, ["a", "b"]))) == 100_000
