"""Roles, targets and encoding: what is inferred, and what is refused with which words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainyard_model.preprocess import TablePreprocessor
from trainyard_trainer.data import memory
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import Prepared, prepare
from trainyard_trainer.data.settings import ColumnSettings, DataSettings, SourceSettings, SplitSettings
from trainyard_trainer.errors import DataError, InvalidSpec, JobError

RNG = np.random.default_rng(0)
ROWS = 200
GOOD = {
    "age": RNG.integers(18, 90, ROWS).tolist(),
    "job": RNG.choice(["clerk", "pilot", "?"], ROWS).tolist(),
    "zone": RNG.integers(1, 5, ROWS).tolist(),
    "id": [f"u{i}" for i in range(ROWS)],
    "y": RNG.choice(["no", "no", "yes"], ROWS).tolist(),
}


def prepared(folder: Path, data: dict[str, list[object]], /, **options: object) -> Prepared:
    path = folder / "d.csv"
    lines = [",".join(data), *(",".join(map(str, row)) for row in zip(*data.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    settings = DataSettings(SourceSettings(str(path)), **options)  # type: ignore[arg-type]
    table, notices = load(settings, folder)
    return prepare(table, settings, notices)


def test_roles_are_inferred_and_overridden(tmp_path: Path) -> None:
    data = prepared(tmp_path, GOOD)
    assert [(c.name, c.role) for c in data.schema.columns] == [
        ("age", "numeric"),
        ("zone", "numeric"),
        ("job", "categorical"),
    ]
    assert data.notices == (
        "inferred: 'y' is predicted (the last column); classification (the target holds text); "
        "'yes' counts as positive (the rarer class)",
        "column 'id' is left out: 200 different texts (an identifier, or free text)",
    )
    assert (data.schema.task, data.schema.targets, data.schema.classes) == (
        "Classification",
        ("y",),
        ("no", "yes"),
    )
    told = prepared(tmp_path, GOOD, columns=ColumnSettings(drop=("age",), categorical=("zone",), key=("id",)))
    assert [(c.name, c.role, c.integers) for c in told.schema.columns] == [
        ("job", "categorical", False),
        ("zone", "categorical", True),
    ]
    assert told.preprocessor.vocabularies[1] == ("1", "2", "3", "4")


def test_serving_encodes_as_training_did(tmp_path: Path) -> None:
    data = prepared(tmp_path, GOOD, columns=ColumnSettings(categorical=("zone",)))
    numeric, codes = data.preprocessor.encode(data.raw(data.rows.train))
    assert np.array_equal(numeric, data.train.inputs[0])
    assert np.array_equal(codes, data.train.inputs[1])


def test_preprocessing_sees_training_rows_only(tmp_path: Path) -> None:
    data = prepared(tmp_path, GOOD, split=SplitSettings(0.3, 0.3))
    ages = np.array(GOOD["age"], dtype=float)
    assert data.preprocessor.means[0] == pytest.approx(ages[data.rows.train].mean())
    assert data.preprocessor.means[0] != pytest.approx(ages.mean())


@pytest.mark.parametrize(
    ("values", "options", "task", "classes"),
    [
        pytest.param(["b", "a"], {}, "Classification", ("a", "b"), id="text"),
        pytest.param([0, 0, 1], {}, "Classification", (0, 1), id="rarer-is-positive"),
        pytest.param([0, 1, 1], {}, "Classification", (1, 0), id="rarer-is-0"),
        pytest.param([0, 1, 1], {"positive_class": "1"}, "Classification", (0, 1), id="told"),
        pytest.param([1, 2, 3], {}, "Classification", (1, 2, 3), id="few-integers"),
        pytest.param([1.5, 2.5, 3.5], {}, "Regression", (), id="fractions"),
        pytest.param(list(range(100)), {}, "Regression", (), id="many-integers"),
        pytest.param([1, 2, 3], {"task": "Regression"}, "Regression", (), id="told-regression"),
    ],
)
def test_the_task_is_inferred(
    tmp_path: Path, values: list[object], options: dict[str, object], task: str, classes: tuple[object, ...]
) -> None:
    repeated = (values * ROWS)[:ROWS]
    data = prepared(tmp_path, {"x": list(range(ROWS)), "y": repeated}, **options)
    assert (data.schema.task, data.schema.classes) == (task, classes)
    assert [type(c) for c in data.schema.classes] == [type(c) for c in classes]


def test_rows_without_a_target_are_left_out_and_said(tmp_path: Path) -> None:
    data = prepared(tmp_path, {**GOOD, "y": ["", *GOOD["y"][1:]]})
    assert data.table.rows == ROWS - 1
    assert "1 rows have no 'y' and are left out" in data.notices


def test_regression_targets_are_standardised(tmp_path: Path) -> None:
    values = [float(v) + 0.5 for v in RNG.normal(1000, 50, ROWS)]
    data = prepared(tmp_path, {"x": list(range(ROWS)), "y": values})
    assert data.train.target.mean() == pytest.approx(0.0, abs=1e-5)
    assert data.target_means[0] == pytest.approx(np.array(values)[data.rows.train].mean())


def test_a_heavy_tail_is_bent_and_others_are_not(tmp_path: Path) -> None:
    gain = [0 if i % 12 else 1_000 * (1 + i % 7) for i in range(ROWS)]
    gain[24] = 99_999
    data = prepared(tmp_path, {"gain": gain, "loss": [-v for v in gain], **GOOD}, split=SplitSettings(0, 0))
    encoder, train = data.preprocessor, data.rows.train
    assert [bool(unit) for unit in encoder.units] == [True, True, False, False]
    encoded, _ = encoder.encode(data.raw(train))
    assert encoded == pytest.approx(data.train.inputs[0])
    assert encoded[:, 0] == pytest.approx(-encoded[:, 1], abs=1e-5)
    order = np.argsort(np.array(gain)[train], kind="stable")
    assert (np.diff(encoded[order, 0]) >= 0).all()
    assert encoded[:, 0].std() == pytest.approx(1.0, abs=1e-3)
    zero, typical = (encoded[np.array(gain)[train] == value, 0][0] for value in (0, 3000))
    assert typical - zero > 2.0  # without the logarithm, less than 0.5
    restored = TablePreprocessor.from_json(encoder.schema, json.loads(json.dumps(encoder.to_json())), {})
    assert restored == encoder


def test_columns_without_values_are_left_out_and_said(tmp_path: Path) -> None:
    """Nothing can be learned from them, and a model that asked for them could not be served."""
    late: list[object] = [""] * 180 + [1] * 20
    data = prepared(
        tmp_path, {"fax": [""] * ROWS, "late": late, **GOOD}, split=SplitSettings(0.05, 0.05, by="Order")
    )
    assert "column 'fax' is left out: it has no value in any row" in data.notices
    assert "column 'late' has no value in any training row and is left out" in data.notices
    assert [c.name for c in data.schema.columns] == ["age", "zone", "job"]
    assert data.train.inputs[0].shape == (180, 2)


def test_dates_are_left_out_unless_they_are_told_to_be_categories(tmp_path: Path) -> None:
    data = prepared(tmp_path, {"day": DAYS, **GOOD})
    assert "day" not in [c.name for c in data.schema.columns]
    assert any(notice.startswith("column 'day' is left out: it holds dates") for notice in data.notices)
    told = prepared(tmp_path, {"day": DAYS, **GOOD}, columns=ColumnSettings(categorical=("day",)))
    assert told.preprocessor.vocabularies[0][0] == "2024-01-01"
    assert (told.preprocessor.encode(told.raw(told.rows.train))[1] == told.train.inputs[1]).all()


def odd(value: object, column: str = "age", row: int = 3) -> dict[str, list[object]]:
    values = list(GOOD[column])
    values[row] = value
    return {**GOOD, column: values}


DAYS: list[object] = [f"2024-01-{1 + i % 28:02d}" for i in range(ROWS)]
LONG: list[object] = [str(2**53 + 1 + i) for i in range(ROWS)]
BAD = [
    pytest.param(GOOD, {"target": "inkome"}, "data.target: the data have no column 'inkome'", id="no-target"),
    pytest.param(GOOD, {"target": "job_"}, "did you mean 'job'", id="close-match"),
    pytest.param(
        GOOD,
        {"columns": ColumnSettings(drop=("agee",))},
        "data.columns.drop: .* 'agee'; did you mean 'age'",
        id="drop",
    ),
    pytest.param(
        {**GOOD, "y": ["yes"] * ROWS}, {}, "'y' has one class only .'yes' in all 200", id="one-class"
    ),
    pytest.param({**GOOD, "y": [""] * ROWS}, {}, "target 'y' has no value in any row", id="empty-target"),
    pytest.param(odd("forty"), {}, "column 'age', row 4: 'forty' is not a number", id="text-in-numbers"),
    pytest.param(odd("inf"), {}, "column 'age', row 4: infinite value", id="infinite"),
    pytest.param(
        GOOD,
        {"columns": ColumnSettings(numeric=("job",))},
        "column 'job', row .*is not a number",
        id="numeric-told",
    ),
    pytest.param(
        {**GOOD, "y": GOOD["id"]}, {}, "target 'y' has 200 classes in 200 rows", id="more-classes-than-rows"
    ),
    pytest.param(GOOD, {"task": "Regression"}, "target 'y' holds text such as", id="text-regression"),
    pytest.param(GOOD, {"positive_class": "Yes"}, "no class 'Yes'; did you mean 'yes'", id="positive-class"),
    pytest.param(
        {key: column[:2] for key, column in GOOD.items()} | {"y": ["a", "b"]},
        {"task": "Classification"},
        "target 'y' has 2 classes in 2 rows",
        id="two-rows",
    ),
    pytest.param({"y": GOOD["y"], "id": GOOD["id"]}, {"target": "y"}, "no column is left", id="no-features"),
    pytest.param(
        GOOD,
        {"columns": ColumnSettings(drop=("y",)), "target": "y"},
        "column 'y' is named in both data.target and data.columns.drop",
        id="two-purposes",
    ),
    pytest.param(
        {"day": DAYS, **GOOD},
        {"columns": ColumnSettings(numeric=("day",))},
        "column 'day' holds dates, which are not numbers",
        id="dates-as-numbers",
    ),
    pytest.param({**GOOD, "y": DAYS}, {}, "target 'y' holds dates, which cannot be predicted", id="dates"),
    pytest.param(
        {"id": LONG, **{key: cells for key, cells in GOOD.items() if key != "id"}},
        {"columns": ColumnSettings(numeric=("id",))},
        "column 'id' holds whole numbers too long to compute with, such as 9007199254740993",
        id="long-identifiers",
    ),
    pytest.param(
        odd("", "y", 0) | {"age": [*GOOD["age"][:3], "forty", *GOOD["age"][4:]]},
        {},
        "column 'age', row 4: 'forty'",  # counted in the file, though row 1 is left out
        id="row-of-the-file",
    ),
]


@pytest.mark.parametrize(("columns", "options", "message"), BAD)
def test_bad_data_are_told(
    tmp_path: Path, columns: dict[str, list[object]], options: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        prepared(tmp_path, columns, **options)
    assert caught.value.exit_code == 65
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        (SourceSettings("/no/such/file.csv"), DataError, "/no/such/file.csv does not exist"),
        (SourceSettings("/", format="CSV"), DataError, "/ is a folder, not a file of CSV"),
        (SourceSettings("/proc/self/mem"), DataError, "/proc/self/mem cannot be read: Input/output error"),
        (SourceSettings("sample://breast-cancer"), InvalidSpec, "did you mean 'breast_cancer'"),
        (SourceSettings("ftp://host/x.csv"), InvalidSpec, "ftp:// is not read"),
        (SourceSettings("s3://bucket"), DataError, "s3://bucket names no object"),
        (SourceSettings("http://127.0.0.1:1/x.csv"), JobError, "cannot be fetched"),
    ],
)
def test_sources_that_cannot_be(
    source: SourceSettings,
    kind: type[JobError],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trainyard_trainer.data.source.RETRY_SECONDS", 0.1)
    with pytest.raises(kind, match=message):
        load(DataSettings(source), tmp_path)


def test_the_pin(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("a,y\n1,0\n2,1\n")
    right = "5a1b7fdb4ef7b1f1cc8c0a8f1ea5a20d2b6e9d2f5a0e0b4dca3c5e1f00000000"
    with pytest.raises(DataError, match="is not what was pinned: its SHA-256 is") as caught:
        load(DataSettings(SourceSettings(str(path), sha256=right)), tmp_path)
    actual = caught.value.message.split("its SHA-256 is ")[1][:64]
    assert load(DataSettings(SourceSettings(path.as_uri(), sha256=actual)), tmp_path)[0].rows == 2


def test_memory_is_stated_with_both_numbers(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(str(512 * 2**20))
    limit = memory.limit_bytes(tmp_path)
    assert limit == 512 * 2**20
    said = memory.check(300 * 2**20, limit, "x.csv")
    assert said == "x.csv needs up to 300.0 MiB of memory, of 512.0 MiB"
    with pytest.raises(DataError, match=r"x.csv needs about 2\.0 GiB .* has 512\.0 MiB"):
        memory.check(2 * 2**30, limit, "x.csv")


@pytest.mark.parametrize("name", ["d.csv", "d.csv.gz", "d.parquet"])
def test_data_larger_than_memory_are_not_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"x": np.arange(50_000) % 97, "y": np.arange(50_000) % 2})
    if name.endswith("parquet"):
        frame.to_parquet(tmp_path / name)
    else:
        frame.to_csv(tmp_path / name, index=False)
    monkeypatch.setattr(memory, "limit_bytes", lambda: 2**20)
    with pytest.raises(DataError, match=rf"{name} needs about \d\.\d MiB .* has 1\.0 MiB, of which 60%"):
        load(DataSettings(SourceSettings(str(tmp_path / name))), tmp_path)


def test_a_generated_sample_larger_than_memory_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "limit_bytes", lambda: 2**20)
    with pytest.raises(DataError, match=r"sample://syn1\?rows=50000 needs about 11\.\d MiB of memory"):
        load(DataSettings(SourceSettings("sample://syn1?rows=50000")), tmp_path)


def test_a_pinned_sample_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="sha256 does not apply"):
        load(DataSettings(SourceSettings("sample://syn1", sha256="0" * 64)), tmp_path)


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "digits", "iris", "wine"])
def test_samples(name: str, tmp_path: Path) -> None:
    settings = DataSettings(SourceSettings(f"sample://{name}"))
    data = prepare(load(settings, tmp_path)[0], settings)
    assert data.schema.targets == ("target",)
    assert data.schema.task == ("Regression" if name == "diabetes" else "Classification")
    if name == "breast_cancer":
        assert data.data_digest.startswith("4e8660c4d6268975")
        assert data.schema.classes == ("benign", "malignant")
