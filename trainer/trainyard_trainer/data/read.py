"""CSV and Parquet files as tables.

CSV is read as text first and columns become numbers only when every cell is one: the kind of a column then
depends on its content and not on which rows happened to be read first.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from trainyard_model.values import MISSING_TEXTS
from trainyard_trainer.data.settings import CSVSettings
from trainyard_trainer.data.table import Numbers, Table, Texts, Values
from trainyard_trainer.errors import DataError

_DELIMITERS = ",;\t|"


def is_parquet(path: Path, declared: str | None) -> bool:
    """By what was declared, else by the first bytes of the file."""
    if declared is not None:
        return declared == "Parquet"
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def read_parquet(path: Path) -> tuple[Table, list[str]]:
    """The table, and notices about columns of kinds that cannot be used.

    Raises:
        DataError: The file is no Parquet file, or holds no rows.
    """
    try:
        arrow = pyarrow.parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path.name} cannot be read as Parquet: {error}", "check the file and its format"
        ) from error
    return _table(path, arrow.column_names, [column.combine_chunks() for column in arrow.columns], ())


def read_csv(path: Path, settings: CSVSettings) -> tuple[Table, list[str]]:
    """The table, and notices about columns that cannot be used.

    Raises:
        DataError: Ragged rows, wrong encoding, no header, or no rows.
    """
    first = _first_line(path, settings)
    delimiter = settings.delimiter or max(_DELIMITERS, key=first.count)
    fields = next(csv.reader([first], delimiter=delimiter), [])
    names = [name.strip() for name in fields] if settings.header else list(settings.column_names)
    if not settings.header and len(names) != len(fields):
        raise DataError(
            f"{path.name} has {len(fields)} columns, csv.columnNames names {len(names)}",
            "name every column in data.source.csv.columnNames",
        )
    generated = [f"c{i}" for i in range(len(names))]
    try:
        arrow = pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(
                column_names=generated, skip_rows=int(settings.header), encoding=settings.encoding
            ),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(generated, pa.string())),
        )
    except (pa.ArrowException, UnicodeError, LookupError, OSError) as error:
        _explain(path, settings, delimiter, len(names), error)
    columns = [column.combine_chunks() for column in arrow.columns]
    return _table(path, names, columns, settings.null_values)


def _first_line(path: Path, settings: CSVSettings) -> str:
    try:
        with pa.input_stream(path, compression="detect") as stream:
            head = stream.read(1 << 16)
        text = head.decode(settings.encoding, errors="ignore").removeprefix("\ufeff")
    except (pa.ArrowException, OSError, LookupError) as error:
        raise DataError(
            f"{path.name} cannot be read: {error}", "check the file and data.source.csv"
        ) from error
    line: str = next((line for line in text.splitlines()), "")
    if not line.strip():
        raise DataError(f"{path.name} is empty", "check data.source.uri; a CSV file needs a header and rows")
    return line


def _explain(path: Path, settings: CSVSettings, delimiter: str, width: int, error: Exception) -> NoReturn:
    """Turn the reader's refusal into the line that caused it."""
    remedy = "correct that line, or set data.source.csv.delimiter"
    line = 1
    try:
        with path.open(encoding=settings.encoding, newline="") as file:
            for fields in (reader := csv.reader(file, delimiter=delimiter)):
                line = reader.line_num
                if fields and len(fields) != width:
                    raise DataError(
                        f"{path.name}, line {line}: {len(fields)} fields, expected {width}", remedy
                    )
    except UnicodeDecodeError as wrong:
        byte = wrong.object[wrong.start]
        raise DataError(
            f"{path.name}, after line {line}: byte 0x{byte:02x} is not {settings.encoding}",
            "save the file as UTF-8, or set data.source.csv.encoding (for example latin-1)",
        ) from None
    except LookupError:
        raise DataError(
            f"there is no encoding '{settings.encoding}'", "set data.source.csv.encoding"
        ) from None
    except (csv.Error, OSError):
        pass
    raise DataError(
        f"{path.name} cannot be read as CSV: {error}", "check the file and data.source.csv"
    ) from error


def _table(
    path: Path, names: list[str], arrays: list[Any], nulls: tuple[str, ...]
) -> tuple[Table, list[str]]:
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise DataError(f"{path.name} has two columns named '{twice[0]}'", "rename one of them")
    columns: dict[str, Values] = {}
    notices = []
    for position, (name, array) in enumerate(zip(names, arrays, strict=True), start=1):
        if not name:
            notices.append(f"column {position} has no name and is left out")
            continue
        values = _values(array, nulls)
        if values is None:
            notices.append(f"column '{name}' is of type {array.type}, which is not used, and is left out")
        else:
            columns[name] = values
    rows = len(arrays[0]) if arrays else 0
    if rows == 0:
        raise DataError(f"{path.name} has no rows", "check data.source.uri")
    return Table(columns, rows), notices


def _values(array: Any, nulls: tuple[str, ...]) -> Values | None:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _values(array.cast(kind.value_type), nulls)
    if pa.types.is_boolean(kind):
        array, kind = pc.if_else(array, "true", "false"), pa.string()
    if pa.types.is_null(kind):
        return Numbers(np.full(len(array), np.nan))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = pc.cast(array, pa.float64(), safe=False)
        return Numbers(numbers.to_numpy(zero_copy_only=False).astype(np.float64))
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return None
    return _text_values(array, nulls)


def _text_values(array: Any, nulls: tuple[str, ...]) -> Values:
    """Numbers where every cell that is not a gap is one, else words."""
    trimmed = pc.utf8_trim_whitespace(array.cast(pa.string()))
    gaps = pa.array([*MISSING_TEXTS, *nulls], type=pa.string())
    known = pc.if_else(pc.is_in(trimmed, value_set=gaps), pa.scalar(None, pa.string()), trimmed)
    try:
        return Numbers(pc.cast(known, pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64))
    except pa.ArrowInvalid:
        encoded = known.dictionary_encode()
        codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
        return _lower_booleans(Texts(tuple(encoded.dictionary.to_pylist()), codes))


def _lower_booleans(texts: Texts) -> Texts:
    """True, TRUE and true are one category, as they are in JSON."""
    words = [word.lower() if word in ("True", "False", "TRUE", "FALSE") else word for word in texts.words]
    if len(set(words)) == len(words):
        return Texts(tuple(words), texts.codes)
    distinct = list(dict.fromkeys(words))
    recode = np.array([*(distinct.index(word) for word in words), -1], dtype=np.int32)
    return Texts(tuple(distinct), recode[texts.codes])
