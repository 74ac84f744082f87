"""Signs of leakage: found where there is one, silent on honest data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainyard_trainer.data import samples
from trainyard_trainer.data.prepare import prepare
from trainyard_trainer.data.settings import ColumnSettings, DataSettings, SourceSettings, SplitSettings
from trainyard_trainer.data.table import Numbers, Table, Texts, Values

ROWS = 1000
RNG = np.random.default_rng(0)
X = RNG.normal(size=ROWS)
Y = (RNG.random(ROWS) < 1 / (1 + np.exp(-2 * X))).astype(np.int32)
WORDS = tuple(f"w{i}" for i in range(400))
COIN = (RNG.random(ROWS) < 0.5).astype(np.int32)
HONEST: dict[str, Values] = {"x": Numbers(X), "word": Texts(("a", "b"), COIN)}


def found(extra: dict[str, Values], target: Values | None = None, **options: object) -> tuple[str, ...]:
    columns = {**HONEST, **extra, "y": target or Texts(("no", "yes"), Y)}
    return prepare(Table(columns, ROWS), DataSettings(SourceSettings("d"), **options)).leakage  # type: ignore[arg-type]


PERFECT = "column '{}' alone predicts 'y' almost perfectly"


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(Numbers(Y.astype(float)), id="the-same"),
        pytest.param(Numbers(np.where(Y, -3.0, 8.0) + RNG.random(ROWS)), id="two-ranges"),
        pytest.param(Texts(("ja", "nein"), 1 - Y), id="one-to-one"),
        pytest.param(Texts(("p", "q", "r", "s"), 2 * Y + COIN), id="finer"),
        pytest.param(Numbers(np.where(np.arange(ROWS) == 3, 1 - Y, Y).astype(float)), id="nearly"),
    ],
)
def test_a_column_that_gives_the_class_away(column: Values) -> None:
    (notice,) = found({"later": column})
    assert PERFECT.format("later") in notice
    assert "data.columns.drop" in notice


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(Numbers(2.0 * X + 1.0), id="linear"),
        pytest.param(Numbers(np.exp(X)), id="monotone"),
    ],
)
def test_a_column_that_gives_the_value_away(column: Values) -> None:
    (notice,) = found({"x": Numbers(RNG.normal(size=ROWS)), "later": column}, Numbers(X))
    assert PERFECT.format("later") in notice


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"strong": Numbers(Y + 0.35 * RNG.normal(size=ROWS))}, id="strong-but-not-perfect"),
        pytest.param({"rare": Texts(WORDS, np.arange(ROWS, dtype=np.int32) // 3)}, id="rare-words"),
        pytest.param({"flag": Numbers((RNG.random(ROWS) < 0.5).astype(float))}, id="unrelated-flag"),
        pytest.param({"constant": Numbers(np.ones(ROWS))}, id="constant"),
    ],
)
def test_honest_columns_are_not_accused(extra: dict[str, Values]) -> None:
    assert found(extra) == ()


@pytest.mark.parametrize("uri", ["poker?rows=5000", "syn2", "syn5", "messy"])
def test_samples_are_not_accused(uri: str) -> None:
    table, _ = samples.parse(f"sample://{uri}").make()
    assert prepare(table, DataSettings(SourceSettings(uri))).leakage == ()


def test_a_rare_class_alone_accuses_nobody() -> None:
    rare = Texts(("no", "yes"), (np.arange(ROWS) % 200 == 0).astype(np.int32))
    assert found({}, rare) == ()


def test_a_column_that_numbers_the_rows() -> None:
    (notice,) = found({"id": Numbers(RNG.permutation(ROWS) + 7.0)})
    assert "column 'id' numbers the rows" in notice


def test_equal_rows_on_both_sides() -> None:
    once: dict[str, Values] = {**HONEST, "y": Texts(("no", "yes"), Y)}
    twice = Table(once, ROWS).take(np.arange(ROWS) % 700)
    settings = DataSettings(SourceSettings("d"), split=SplitSettings(0.1, 0.1, by="Order"))
    (notice,) = prepare(twice, settings).leakage
    assert "200 of 200 validation and test rows have the same features as a training row" in notice
    assert prepare(twice, DataSettings(SourceSettings("d"))).leakage == ()


def test_a_key_on_both_sides(tmp_path: Path) -> None:
    patient = Numbers(np.arange(ROWS) % 990.0)
    options = {"columns": ColumnSettings(key=("patient",)), "split": SplitSettings(0.1, 0.1, by="Order")}
    (notice,) = found({"patient": patient}, **options)
    assert "10 of 200 validation and test rows have a key (patient) that training rows have too" in notice
    assert found({"patient": patient}, columns=ColumnSettings(key=("patient",))) == ()
