"""CSV as people have it, and what is said when it cannot be read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from trainyard_trainer.data.formats import format_of
from trainyard_trainer.data.read import read_parquet
from trainyard_trainer.data.read_csv import read_csv
from trainyard_trainer.data.settings import CSVSettings
from trainyard_trainer.data.table import Numbers, Table, Texts, Times
from trainyard_trainer.errors import DataError

MESSY = """\
\ufeff name ; age;"city, state";flag;note
Ann; 31 ;"New York; NY";True;"two
lines"
Bob;?;;FALSE;
"""


def read(folder: Path, content: str | bytes, **options: object) -> Table:
    path = folder / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_csv(path, CSVSettings(**options))[0]  # type: ignore[arg-type]


def cells(table: Table, name: str) -> list[object]:
    return list(table.columns[name].cells())


def test_a_messy_file(tmp_path: Path) -> None:
    table = read(tmp_path, MESSY)
    assert list(table.columns) == ["name", "age", "city, state", "flag", "note"]
    assert table.rows == 2
    assert cells(table, "name") == ["Ann", "Bob"]
    assert cells(table, "city, state") == ["New York; NY", None]
    assert cells(table, "flag") == ["true", "false"]
    assert cells(table, "note") == ["two\nlines", None]
    age = table.columns["age"]
    assert isinstance(age, Numbers)
    assert age.values[0] == 31
    assert np.isnan(age.values[1])


def test_kinds_do_not_depend_on_which_rows_come_first(tmp_path: Path) -> None:
    late = read(tmp_path, "a,b\n" + "1,1\n" * 300_000 + "x,2.5\n")
    assert isinstance(late.columns["a"], Texts)
    assert isinstance(late.columns["b"], Numbers)
    assert late.columns["b"].values[-1] == 2.5


def test_options(tmp_path: Path) -> None:
    headless = read(tmp_path, "1,n/k\n2,5\n", header=False, column_names=("a", "b"), null_values=("n/k",))
    assert cells(headless, "b")[1] == 5.0
    assert np.isnan(cells(headless, "b")[0])  # type: ignore[call-overload]
    latin = read(tmp_path, "ort\nKöln\n".encode("latin-1"), encoding="latin-1")
    assert cells(latin, "ort") == ["Köln"]


def test_a_compressed_file(tmp_path: Path) -> None:
    path = tmp_path / "data.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,x\n"))
    assert cells(read_csv(path, CSVSettings())[0], "a") == [1]


def test_columns_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    path.write_text(",a\n0,1\n1,2\n")
    table, notices = read_csv(path, CSVSettings())
    assert list(table.columns) == ["a"]
    assert notices == ["column 1 has no name and is left out"]
    pyarrow.parquet.write_table(pa.table({"a": [1], "l": [[1, 2]]}), tmp_path / "t.parquet")
    table, notices = read_parquet(tmp_path / "t.parquet")
    assert list(table.columns) == ["a"]
    assert "column 'l' is of type list" in notices[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("", "data.csv is empty", id="zero-bytes"),
        pytest.param("a,b\n", "data.csv has no rows", id="header-only"),
        pytest.param("\na,b\n1,2\n", "data.csv, line 1: blank", id="blank-first-line"),
        pytest.param("a,b\n1,2\n1,2,3\n", "data.csv, line 3: 3 fields, expected 2", id="ragged"),
        pytest.param("a,a\n1,2\n", "two columns named 'a'", id="duplicate-name"),
        pytest.param(
            "a\nx\nKöln\n".encode("latin-1"), "line 3: byte 0xf6 at offset 5 is not utf-8", id="encoding"
        ),
    ],
)
def test_unreadable_files(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, content)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("content", "options", "message", "remedy"),
    [
        pytest.param(
            "a\nx\n".encode("utf-16"), {}, "line 1: the file is utf-16, not utf-8", "utf-16", id="utf-16"
        ),
        pytest.param(
            "a\nx\n", {"encoding": "utf-99"}, "there is no encoding 'utf-99'", "latin-1", id="no-such"
        ),
        pytest.param(
            "1,2\n",
            {"header": False, "column_names": ("a",)},
            "has 2 columns, .* names 1",
            "every",
            id="names",
        ),
        pytest.param(
            gzip.compress(b"a,b\n" + b"1,2\n" * 9999)[:60], {}, "cannot be read", "complete", id="cut-gzip"
        ),
        pytest.param(
            gzip.compress(b"a,b\n1,2\n1,2,3\n"), {}, "line 3: 3 fields, expected 2", "line", id="ragged-gzip"
        ),
    ],
)
def test_what_is_said_and_what_to_do(
    tmp_path: Path, content: str | bytes, options: dict[str, object], message: str, remedy: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, content, **options)
    assert remedy in caught.value.remedy


def test_long_identifiers_stay_apart(tmp_path: Path) -> None:
    table = read(tmp_path, "id,big\n9007199254740993,1e300\n9007199254740992,2\n")
    assert cells(table, "id") == ["9007199254740993", "9007199254740992"]
    assert isinstance(table.columns["big"], Numbers)


def test_dates(tmp_path: Path) -> None:
    table = read(
        tmp_path, "day,at,no\n2024-02-29,2024-01-01T10:00:00Z,2023-02-31\n,2024-01-01 10:00:00.5,2024-01-01\n"
    )
    assert [type(column) for column in table.columns.values()] == [Times, Times, Texts]
    assert cells(table, "day") == ["2024-02-29", None]
    assert cells(table, "at") == ["2024-01-01 10:00:00.000000", "2024-01-01 10:00:00.500000"]


@pytest.mark.parametrize(
    ("arrow", "message"),
    [
        pytest.param(pa.table({"a": pa.array([], type=pa.int64())}), "has no rows", id="no-rows"),
        pytest.param(
            pa.Table.from_arrays([pa.array([1])] * 2, names=["a", "a"]), "two columns named 'a'", id="twice"
        ),
    ],
)
def test_parquet_that_is_no_table(tmp_path: Path, arrow: pa.Table, message: str) -> None:
    pyarrow.parquet.write_table(arrow, tmp_path / "t.parquet")
    with pytest.raises(DataError, match=message):
        read_parquet(tmp_path / "t.parquet")


def test_a_truncated_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"a": list(range(1000))}), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"t\.parquet cannot be read as Parquet") as caught:
        read_parquet(path)
    assert "complete" in caught.value.remedy


def test_a_file_that_only_looks_like_parquet(tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    path.write_bytes(b"PAR1 but then nothing of the kind")
    assert format_of(path, None) == "Parquet"
    with pytest.raises(DataError, match=r"broken\.parquet cannot be read as Parquet"):
        read_parquet(path)


WORDS = "text\n" + "".join(f"café number {i}\n" for i in range(9))


@pytest.mark.parametrize(
    ("content", "encoding", "message", "remedy"),
    [
        pytest.param(
            WORDS.encode("utf-16-le"), "utf-8", "the file is utf-16-le", "encoding: utf-16-le", id="le"
        ),
        pytest.param(
            WORDS.encode("utf-16-be"), "utf-8", "the file is utf-16-be", "encoding: utf-16-be", id="be"
        ),
        pytest.param(WORDS.encode("utf-32"), "latin-1", "the file is utf-32", "encoding: utf-32", id="32"),
        pytest.param(
            WORDS.encode(), "utf-16", "the file is utf-8, not utf-16", "encoding: utf-8", id="utf-8"
        ),
        pytest.param(
            WORDS.encode("latin-1"), "utf-8", "line 2: byte 0xe9", "encoding: latin-1", id="latin-1"
        ),
        pytest.param(
            (WORDS + "“x”\n").encode("cp1252"), "utf-8", "line 2: byte 0xe9", "encoding: cp1252", id="windows"
        ),
        pytest.param(
            WORDS.encode() + b"caf\xe9\n", "utf-8", "line 11: byte 0xe9", "others are UTF-8", id="one-line"
        ),
    ],
)
def test_an_unexpected_encoding(
    tmp_path: Path, content: bytes, encoding: str, message: str, remedy: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, content, encoding=encoding)
    assert remedy in caught.value.remedy


def test_a_quote_that_is_not_closed(tmp_path: Path) -> None:
    rows = "".join(f"a b {i},x\n" for i in range(20_000))
    with pytest.raises(
        DataError, match="lines 3 to 20003: 1 fields, expected 2; perhaps a quote is not closed"
    ):
        read(tmp_path, 'text,y\n"good one",x\n"never closed,x\n' + rows[:-1])


def test_encodings_that_are_read(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-16-le", "cp1252", "utf-8-sig"):
        told = "utf-8" if encoding == "utf-8-sig" else encoding
        assert cells(read(tmp_path, WORDS.encode(encoding), encoding=told), "text")[0] == "café number 0"
    (tmp_path / "d.csv").write_text(WORDS, encoding="utf-8")
    _, notices = read_csv(tmp_path / "d.csv", CSVSettings(encoding="latin-1"))
    assert notices == ["d.csv is read as latin-1, but looks like utf-8"]
