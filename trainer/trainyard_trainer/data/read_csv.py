"""CSV files as tables, block by block: the file's text is never held as a whole.

A column is taken for numbers until a block holds something else. Where that is not the first block, the
column is read a second time as text, so that its kind depends on all of it and on no order of rows.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from trainyard_trainer.data.convert import as_numbers, encoded, finished
from trainyard_trainer.data.encoding import check_encoding, misread
from trainyard_trainer.data.read import check_table
from trainyard_trainer.data.settings import CSVSettings
from trainyard_trainer.data.table import Numbers, Table, Values
from trainyard_trainer.errors import DataError

_DELIMITERS = ",;\t|"
_BLOCK, _HEAD, _LONGEST = 1 << 23, 1 << 16, 1 << 30
_GZIP = b"\x1f\x8b"


@dataclass(slots=True)
class _Column:
    """What is known of a column after some blocks."""

    texts: bool = False
    numbers: list[NDArray[np.float64]] = field(default_factory=list)
    words: list[list[str]] = field(default_factory=list)
    codes: list[NDArray[np.int32]] = field(default_factory=list)

    def add(self, cells: Any, nulls: tuple[str, ...]) -> bool:
        """Take one block's cells; whether the column must be read anew, as text."""
        if not self.texts:
            numbers = as_numbers(cells, nulls)
            if numbers is not None:
                self.numbers.append(numbers)
                return False
            self.texts = True
            if self.numbers:
                self.numbers.clear()
                return True
        words, codes = encoded(cells, nulls)
        self.words.append(words)
        self.codes.append(codes)
        return False

    def finish(self) -> Values:
        """The whole column; its pieces are let go."""
        values = finished(self.words, self.codes) if self.texts else Numbers(np.concatenate(self.numbers))
        self.numbers, self.words, self.codes = [], [], []
        return values


def read_csv(path: Path, settings: CSVSettings) -> tuple[Table, list[str]]:
    """The table, and notices about columns that cannot be used. A gzip file is read as what it holds.

    Raises:
        DataError: Ragged rows, wrong encoding, no header, or no rows.
    """
    names, delimiter = _header(path, settings)
    columns = [_Column() for _ in names]
    rows, again = 0, set()
    try:
        for block in _blocks(path, settings, delimiter, range(len(names)), len(names)):
            rows += block.num_rows
            for i, cells in enumerate(block.columns):
                if i not in again and columns[i].add(cells, settings.null_values):
                    again.add(i)
        if again:
            chosen = sorted(again)
            for block in _blocks(path, settings, delimiter, chosen, len(names)):
                for i, cells in zip(chosen, block.columns, strict=True):
                    columns[i].add(cells, settings.null_values)
    except (pa.ArrowException, UnicodeError, LookupError, OSError, EOFError) as error:
        _explain(path, settings, delimiter, len(names), error)
    check_table(path.name, names, rows)
    notices = [f"column {i} has no name and is left out" for i, name in enumerate(names, 1) if not name]
    with _open(path) as stream:
        if misread(stream.read(_HEAD), settings.encoding):
            notices.append(f"{path.name} is read as {settings.encoding}, but looks like utf-8")
    return Table({n: c.finish() for n, c in zip(names, columns, strict=True) if n}, rows), notices


def _header(path: Path, settings: CSVSettings) -> tuple[list[str], str]:
    """Names of the columns, and what stands between fields."""
    first = _first_line(path, settings)
    delimiter = settings.delimiter or max(_DELIMITERS, key=first.count)
    fields = next(csv.reader([first], delimiter=delimiter), [])
    names = [name.strip() for name in fields] if settings.header else list(settings.column_names)
    if not settings.header and len(names) != len(fields):
        raise DataError(
            f"{path.name} has {len(fields)} columns, csv.columnNames names {len(names)}",
            "name every column in data.source.csv.columnNames",
        )
    check_table(path.name, names, 1)
    return names, delimiter


def _blocks(
    path: Path, settings: CSVSettings, delimiter: str, chosen: range | list[int], width: int
) -> Iterator[Any]:
    """Record batches of the chosen columns, as texts."""
    generated = [f"c{i}" for i in range(width)]
    wanted = [generated[i] for i in chosen]
    with (
        _open(path) as stream,
        pyarrow.csv.open_csv(
            stream,
            read_options=pyarrow.csv.ReadOptions(
                column_names=generated,
                skip_rows=int(settings.header),
                encoding=settings.encoding,
                block_size=_BLOCK,
            ),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted
            ),
        ) as reader,
    ):
        yield from reader


def _open(path: Path) -> Any:
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    return pa.input_stream(path, compression="gzip" if compressed else None)


def _first_line(path: Path, settings: CSVSettings) -> str:
    try:
        with _open(path) as stream:
            head = stream.read(_HEAD)
        text = codecs.getincrementaldecoder(settings.encoding)().decode(head).removeprefix("\ufeff")
        if "\0" in text:
            _check_encoding(path, settings.encoding)
    except UnicodeError:
        _check_encoding(path, settings.encoding)
        raise
    except LookupError:
        raise DataError(
            f"there is no encoding '{settings.encoding}'", "set data.source.csv.encoding, for example latin-1"
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path.name} cannot be read: {error}", "check that the file is complete and may be read"
        ) from error
    line: str = next(iter(text.splitlines()), "")
    if not line.strip() and text.strip():
        raise DataError(f"{path.name}, line 1: blank, where names or cells should be", "remove blank lines")
    if not line.strip():
        raise DataError(f"{path.name} is empty", "check data.source.uri; a CSV file needs a header and rows")
    return line


def _explain(path: Path, settings: CSVSettings, delimiter: str, width: int, error: Exception) -> NoReturn:
    """Turn the reader's refusal into the line that caused it."""
    remedy = "correct that line, or set data.source.csv.delimiter"
    rows = line = 0
    limit = csv.field_size_limit(_LONGEST)  # a quote that is not closed makes one field of a whole file
    try:
        with _open(path) as stream:
            text = io.TextIOWrapper(stream, encoding=settings.encoding, errors="replace", newline="")
            for fields in (reader := csv.reader(text, delimiter=delimiter)):
                first, line, rows = line + 1, reader.line_num, rows + bool(fields)
                if fields and len(fields) != width:
                    where, hint = f"line {line}", ""
                    if first < line:
                        where, hint = f"lines {first} to {line}", "; perhaps a quote is not closed"
                    raise DataError(
                        f"{path.name}, {where}: {len(fields)} fields, expected {width}{hint}", remedy
                    )
        _check_encoding(path, settings.encoding)
    except (csv.Error, OSError, EOFError, pa.ArrowException):
        pass
    finally:
        csv.field_size_limit(limit)
    if rows <= int(settings.header) and line:
        check_table(path.name, [], 0)
    raise DataError(
        f"{path.name} cannot be read as CSV: {' '.join(str(error).split()):.300}",
        "check that the file is complete, and data.source.csv",
    ) from error


def _check_encoding(path: Path, encoding: str) -> None:
    with _open(path) as stream:
        check_encoding(stream, path.name, encoding)
