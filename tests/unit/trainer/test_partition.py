"""Splits other than by hash, and folds: what stays together, what comes out balanced, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainyard_trainer.data.groups import DEALT_BELOW, assign
from trainyard_trainer.data.identity import mix
from trainyard_trainer.data.load import load
from trainyard_trainer.data.partition import Marks, deal_folds, partition
from trainyard_trainer.data.prepare import Fold, Prepared, folds, prepare, understand
from trainyard_trainer.data.settings import ColumnSettings, DataSettings, SourceSettings, SplitSettings
from trainyard_trainer.data.split import Parts
from trainyard_trainer.data.table import Numbers, Table, Texts
from trainyard_trainer.errors import DataError

ROWS = 400
RNG = np.random.default_rng(1)
SEED = np.array([5], dtype=np.uint64)


def write(folder: Path, name: str, columns: dict[str, list[object]]) -> str:
    path = folder / name
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def columns(rows: int = ROWS, seed: int = 0) -> dict[str, list[object]]:
    rng = np.random.default_rng(seed)
    return {
        "x": np.round(rng.normal(size=rows), 6).tolist(),
        "patient": [f"p{i}" for i in rng.integers(0, rows // 5, rows)],
        "day": [f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in (np.arange(rows) * 300 // rows).tolist()],
        "y": rng.choice(["no", "no", "no", "yes"], rows).tolist(),
    }


def run(folder: Path, data: dict[str, list[object]], split: SplitSettings, **options: object) -> Prepared:
    told = DataSettings(SourceSettings(write(folder, "d.csv", data)), split=split, **options)  # type: ignore[arg-type]
    return prepare(*(loaded := load(told, folder))[:1], told, loaded[1])


def sizes(parts: Parts) -> tuple[int, int, int]:
    return len(parts.train), len(parts.validation), len(parts.test)


def test_by_group_no_group_is_cut_and_classes_are_even(tmp_path: Path) -> None:
    data = columns()
    result = run(tmp_path, data, SplitSettings(0.2, 0.2, by="Group", column="patient"))
    patients, labels = np.array(data["patient"]), np.array(data["y"])
    parts = [result.rows.train, result.rows.validation, result.rows.test]
    seen = [set(patients[rows]) for rows in parts]
    assert not seen[0] & seen[1]
    assert not (seen[0] | seen[1]) & seen[2]
    for rows, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert len(rows) / ROWS == pytest.approx(share, abs=0.01)
        assert (labels[rows] == "yes").mean() == pytest.approx((labels == "yes").mean(), abs=0.02)
    assert [c.name for c in result.schema.columns] == ["x"]


def test_a_row_without_a_group_is_one_of_its_own(tmp_path: Path) -> None:
    data = columns()
    data["patient"][:40] = [""] * 40
    result = run(tmp_path, data, SplitSettings(0.2, 0.2, by="Group", column="patient"))
    assert "40 rows have no 'patient' and are groups of their own" in result.notices
    assert {p for p, rows in enumerate((result.rows.train, result.rows.test)) if (rows < 40).any()} == {0, 1}


@given(
    st.lists(st.integers(1, 30), min_size=3, max_size=60),
    st.integers(0, 2**32),
    st.floats(0.05, 0.4),
    st.floats(0.05, 0.4),
)
@settings(max_examples=60, deadline=None)
def test_three_groups_are_enough_for_three_parts(
    counts: list[int], seed: int, validation: float, test: float
) -> None:
    groups = mix(np.repeat(np.arange(len(counts), dtype=np.uint64), counts))
    part = assign(
        groups,
        np.arange(len(groups)) % 2,
        (1.0 - validation - test, validation, test),
        np.array([seed], dtype=np.uint64),
    )
    assert set(part) == {0, 1, 2}
    for group in np.unique(groups):
        assert len(set(part[groups == group])) == 1


def test_many_groups_keep_their_part_as_data_grow() -> None:
    few = mix(np.arange(DEALT_BELOW, dtype=np.uint64))
    many = mix(np.arange(2 * DEALT_BELOW, dtype=np.uint64))
    shares = (0.7, 0.1, 0.2)
    before = assign(few, np.zeros(len(few), dtype=np.int64), shares, SEED)
    after = assign(many, np.zeros(len(many), dtype=np.int64), shares, SEED)
    assert (after[: len(few)] == before).all()
    assert np.bincount(after) / len(many) == pytest.approx(shares, abs=0.02)


def test_by_order_the_last_days_test_and_no_day_is_cut(tmp_path: Path) -> None:
    data = columns()
    turned = np.random.default_rng(3).permutation(ROWS)
    mixed: dict[str, list[object]] = {name: [cells[i] for i in turned] for name, cells in data.items()}
    result = run(tmp_path, mixed, SplitSettings(0.1, 0.2, by="Order", column="day"))
    days = np.array(mixed["day"], dtype="datetime64[D]")
    train, validation, test = (days[r] for r in (result.rows.train, result.rows.validation, result.rows.test))
    assert train.max() < validation.min() <= validation.max() < test.min()
    assert [len(test) / ROWS, len(validation) / ROWS] == pytest.approx([0.2, 0.1], abs=0.01)
    assert [c.name for c in result.schema.columns] == ["x", "patient"]


def test_by_order_of_the_file(tmp_path: Path) -> None:
    parts = run(tmp_path, columns(), SplitSettings(0.1, 0.2, by="Order")).rows
    assert (parts.train.tolist(), parts.test.tolist()) == (list(range(280)), list(range(320, 400)))


def test_a_column_of_order_may_stay_a_feature_when_it_is_told(tmp_path: Path) -> None:
    data = columns() | {"year": (np.arange(ROWS) // 100).tolist()}
    data["y"] = data.pop("y")
    told = run(
        tmp_path,
        data,
        SplitSettings(0.25, 0.25, by="Order", column="year"),
        columns=ColumnSettings(numeric=("year",)),
    )
    assert "year" in [c.name for c in told.schema.columns]
    assert sizes(told.rows) == (200, 100, 100)


def test_by_column_in_its_usual_spellings(tmp_path: Path) -> None:
    words = (["train"] * 6 + ["VALID", "val"] + ["Test", "holdout"]) * 40
    result = run(tmp_path, {"part": words, **columns()}, SplitSettings(by="Column", column="part"))
    assert sizes(result.rows) == (240, 80, 80)
    assert "part" not in [c.name for c in result.schema.columns]


def test_a_part_that_the_column_does_not_have_is_cut_off_the_training_rows(tmp_path: Path) -> None:
    words = ["train"] * 300 + ["test"] * 100
    result = run(tmp_path, {"part": words, **columns()}, SplitSettings(0.1, 0.1, by="Column", column="part"))
    assert sizes(result.rows) == (270, 30, 100)
    assert "column 'part' has no validation rows: 30 training rows are set aside by hash" in result.notices
    assert set(result.rows.test) == set(range(300, 400))


def test_files_of_their_own(tmp_path: Path) -> None:
    train, other = columns(), columns(100, seed=9)
    test = SourceSettings(write(tmp_path, "test.csv", other | {"more": [1] * 100}))
    result = run(tmp_path, train, SplitSettings(0.1, 0.5, by="Files", test_file=test))
    assert sizes(result.rows) == (360, 40, 100)
    assert set(result.rows.test) == set(range(400, 500))
    assert "test.csv: column 'more' not in d.csv, left out" in result.notices
    assert result.raw(result.rows.test)["x"].tolist() == other["x"]


def test_the_digest_knows_which_rows_came_from_which_file(tmp_path: Path) -> None:
    how = SplitSettings(
        0.1, 0.5, by="Files", test_file=SourceSettings(write(tmp_path, "t.csv", columns(100, 9)))
    )
    first = run(tmp_path, columns(), how)
    moved = {name: cells + columns(100, 9)[name][:1] for name, cells in columns().items()}
    write(tmp_path, "t.csv", {name: cells[1:] for name, cells in columns(100, 9).items()})
    second = run(tmp_path, moved, how)
    assert first.data_digest != second.data_digest
    assert first.holdout_digest != second.holdout_digest


def bad(column: list[object], name: str = "part") -> dict[str, list[object]]:
    return {name: column, **columns()}


@pytest.mark.parametrize(
    ("data", "split", "message"),
    [
        pytest.param(
            bad(["train"] * 399 + ["tset"]),
            SplitSettings(by="Column", column="part"),
            "data.split.column 'part', row 400: 'tset' names no part",
            id="unknown-part",
        ),
        pytest.param(
            bad(["train"] * 399 + [""]),
            SplitSettings(by="Column", column="part"),
            "data.split.column 'part', row 400: no value",
            id="no-part",
        ),
        pytest.param(
            bad(["1"] * 399 + [""], "at"),
            SplitSettings(by="Order", column="at"),
            "data.split.column 'at', row 400: no value, so the row has no place",
            id="no-moment",
        ),
        pytest.param(
            bad(["May 5", "June 6"] * 200, "at"),
            SplitSettings(by="Order", column="at"),
            "data.split.column 'at' holds text such as 'May 5', which has no order",
            id="no-order",
        ),
        pytest.param(
            bad([1] * 400, "at"),
            SplitSettings(by="Order", column="at"),
            "the validation part has 0 rows of 400",
            id="one-moment",
        ),
        pytest.param(
            columns(),
            SplitSettings(by="Group", column="pateint"),
            "data.split.column: the data have no column 'pateint'; did you mean 'patient'",
            id="no-column",
        ),
        pytest.param(
            bad(["one", "two"] * 200, "team"),
            SplitSettings(by="Group", column="team"),
            "part has 0 rows of 400",
            id="two-groups-for-three-parts",
        ),
    ],
)
def test_what_cannot_decide_a_split(
    tmp_path: Path, data: dict[str, list[object]], split: SplitSettings, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        run(tmp_path, data, split)
    assert caught.value.remedy


def test_a_label_that_training_never_saw_is_named_with_its_part(tmp_path: Path) -> None:
    other = columns(100, seed=9)
    other["y"][4] = "yes."
    test = SourceSettings(write(tmp_path, "test.csv", other))
    with pytest.raises(DataError) as caught:
        run(tmp_path, columns(), SplitSettings(0.1, 0.1, by="Files", test_file=test))
    assert caught.value.message == (
        "target 'y': label 'yes.' is in the test part (row 5 of test.csv) but in no training row; "
        "did you mean 'yes'?"
    )


def test_a_file_without_a_column_is_named(tmp_path: Path) -> None:
    other = columns(100)
    del other["x"]
    test = SourceSettings(write(tmp_path, "test.csv", other))
    with pytest.raises(DataError, match=r"test\.csv has no column 'x', which d\.csv has"):
        run(tmp_path, columns(), SplitSettings(by="Files", test_file=test))


def test_text_in_a_part_file_is_found_in_its_own_row(tmp_path: Path) -> None:
    other = columns(100, seed=9)
    other["x"][6] = "none given"
    test = SourceSettings(write(tmp_path, "test.csv", other))
    with pytest.raises(DataError, match=r"column 'x', row 7 of test\.csv: 'none given' is not a number"):
        run(tmp_path, columns(), SplitSettings(by="Files", test_file=test))


# Folds


def all_folds(folder: Path, split: SplitSettings, data: dict[str, list[object]] | None = None) -> list[Fold]:
    told = DataSettings(SourceSettings(write(folder, "f.csv", data or columns())), split=split)
    return list(folds(understand(load(told, folder)[0], told)))


def test_every_row_is_judged_once_in_a_repeat_and_never_teaches_its_judge(tmp_path: Path) -> None:
    found = all_folds(tmp_path, SplitSettings(0.2, 0.25, folds=5, repeats=2))
    whole = run(tmp_path, columns(), SplitSettings(0.2, 0.25))
    assert [(f.repeat, f.fold) for f in found] == [(r, f) for r in range(2) for f in range(5)]
    pool = np.sort(np.concatenate([whole.rows.train, whole.rows.validation]))
    for repeat in range(2):
        judged = [f.data.rows.test for f in found if f.repeat == repeat]
        assert (np.sort(np.concatenate(judged)) == pool).all()
    for fold in (f.data for f in found):
        parts = [set(rows) for rows in (fold.rows.train, fold.rows.validation, fold.rows.test)]
        assert sum(map(len, parts)) == len(set().union(*parts)) == len(pool)
        assert not set(whole.rows.test) & set().union(*parts)
        assert len(parts[1]) / (len(pool) - len(parts[2])) == pytest.approx(0.2, abs=0.01)
        assert fold.preprocessor.means[0] == pytest.approx(np.array(columns()["x"])[fold.rows.train].mean())
        assert fold.data_digest == whole.data_digest
    first, second = found[0].data.rows.test, found[5].data.rows.test
    assert set(first) != set(second)


def test_folds_have_equal_sizes_and_classes(tmp_path: Path) -> None:
    labels = np.array(columns()["y"])
    judged = [f.data.rows.test for f in all_folds(tmp_path, SplitSettings(0.1, 0.0, folds=7))]
    counts = [(labels[rows] == "yes").sum() for rows in judged]
    assert max(map(len, judged)) - min(map(len, judged)) <= 1
    assert max(counts) - min(counts) <= 1


def test_folds_cut_no_group(tmp_path: Path) -> None:
    patients = np.array(columns()["patient"])
    for fold in all_folds(tmp_path, SplitSettings(0.2, 0.1, by="Group", column="patient", folds=4)):
        rows = fold.data.rows
        seen = [set(patients[r]) for r in (rows.train, rows.validation, rows.test)]
        assert not seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=10, max_size=200), st.integers(2, 6)
)
@settings(max_examples=60, deadline=None)
def test_equal_rows_share_a_fold(rows: list[tuple[int, int]], count: int) -> None:
    content: NDArray[np.uint64] = mix(np.array([c for c, _ in rows], dtype=np.uint64))
    marks = Marks(content, np.array([label for _, label in rows]))
    number = deal_folds(marks, np.arange(len(rows)), count, 3)
    for one in np.unique(content):
        assert len(set(number[content == one])) == 1
    groups = np.bincount([number[content == one][0] for one in np.unique(content)], minlength=count)
    assert groups.max() - groups.min() <= 1


def test_more_folds_than_rows_is_told(tmp_path: Path) -> None:
    few = {name: cells[:12] for name, cells in columns().items()}
    with pytest.raises(DataError, match=r"part of fold \d+ has 0 rows"):
        all_folds(tmp_path, SplitSettings(0.0, 0.0, folds=50), few)


def test_weights_go_with_their_rows(tmp_path: Path) -> None:
    weighted = {"w": (np.arange(ROWS) + 1).tolist(), **columns()}
    result = run(tmp_path, weighted, SplitSettings(0.2, 0.2), columns=ColumnSettings(weight="w"))
    assert result.train.weight is not None
    assert result.weights is not None
    assert (result.train.weight == result.rows.train + 1).all()
    assert (result.weights == np.arange(ROWS) + 1).all()
    assert "w" not in [c.name for c in result.schema.columns]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        pytest.param(["1"] * 399 + [""], "weight column 'w', row 400: no value", id="gap"),
        pytest.param(["1"] * 399 + ["-1"], "weight column 'w', row 400: -1; a weight", id="negative"),
        pytest.param(["1"] * 399 + ["inf"], "weight column 'w', row 400: inf", id="infinite"),
        pytest.param(["1"] * 399 + ["much"], "weight column 'w' holds text", id="text"),
        pytest.param(["0"] * 400, "weight column 'w' is 0 in every row", id="all-zero"),
    ],
)
def test_weights_that_are_none(tmp_path: Path, cells: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        run(tmp_path, {"w": cells, **columns()}, SplitSettings(), columns=ColumnSettings(weight="w"))


def test_parts_of_no_weight_are_told(tmp_path: Path) -> None:
    cells = [0 if i >= 320 else 1 for i in range(ROWS)]
    with pytest.raises(DataError, match="the test part has no row of a weight above 0"):
        run(
            tmp_path,
            {"w": cells, **columns()},
            SplitSettings(0.1, 0.2, by="Order"),
            columns=ColumnSettings(weight="w"),
        )


def test_several_targets(tmp_path: Path) -> None:
    data = {
        "x": columns()["x"],
        "a": (RNG.normal(size=ROWS) * 5 + 2).tolist(),
        "b": RNG.normal(size=ROWS).tolist(),
    }
    result = run(tmp_path, data, SplitSettings(), targets=("a", "b"))
    assert result.schema.targets == ("a", "b")
    assert result.train.target.shape == (len(result.rows.train), 2)
    assert result.train.target.mean(0) == pytest.approx([0, 0], abs=1e-5)
    assert result.target_scales[0] == pytest.approx(5, rel=0.2)


def test_a_split_by_files_needs_them() -> None:
    table = Table({"x": Numbers(np.arange(4.0)), "y": Texts(("a",), np.zeros(4, dtype=np.int32))}, 4)
    marks = Marks(mix(np.arange(4, dtype=np.uint64)), np.zeros(4, dtype=np.int64))
    with pytest.raises(DataError, match="there is one table only"):
        partition(table, marks, SplitSettings(by="Files"))
