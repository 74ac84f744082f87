"""From the source's address to the table in memory, if it will fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trainyard_trainer.data import memory, samples
from trainyard_trainer.data.read import is_parquet, read_parquet
from trainyard_trainer.data.read_csv import read_csv
from trainyard_trainer.data.settings import DataSettings, SourceSettings
from trainyard_trainer.data.source import fetch
from trainyard_trainer.data.table import Table, joined
from trainyard_trainer.errors import DataError, InvalidSpec


def load(
    settings: DataSettings, folder: Path, say: Callable[[str], None] = lambda text: None
) -> tuple[Table, list[str]]:
    """Read the source, and the files of parts if there are any; what they need is said before they are read.

    Args:
        settings: Where the rows are.
        folder: Where downloads may be put.
        say: Told what goes on.

    Raises:
        JobError: As `fetch` and the readers.
    """
    split = settings.split
    sources = [s for s in (settings.source, split.validation_file, split.test_file) if s is not None]
    opened = [_open(source, folder / str(i)) for i, source in enumerate(sources)]
    need, limit = sum(file.need for file in opened), memory.limit_bytes()
    say(memory.check(need, limit, " + ".join(source.uri for source in sources)))
    read = [file.read() for file in opened]
    table, notices = read[0]
    if len(read) == 1:
        return table, notices
    tables = [table]
    for (other, said), file in zip(read[1:], opened[1:], strict=True):
        tables.append(_alike(other, file.name, table, opened[0].name, notices))
        notices += [f"{file.name}: {notice}" for notice in said]
    return joined(tables, _different([file.name for file in opened])), notices


class _Opened:
    """A source that is there and has been measured, but not read."""

    def __init__(self, source: SourceSettings, path: Path | None, sample: samples.Sample | None) -> None:
        self.source, self.path, self.sample = source, path, sample
        self.parquet = path is not None and is_parquet(path, source.format)
        self.name = source.uri if path is None else path.name
        if sample is not None:
            self.need = memory.need_of_sample(sample.bytes)
        else:
            assert path is not None  # noqa: S101
            self.need = memory.need_bytes(path, self.parquet)

    def read(self) -> tuple[Table, list[str]]:
        """The table and notices."""
        if self.sample is not None:
            return self.sample.make()
        assert self.path is not None  # noqa: S101
        try:
            return read_parquet(self.path) if self.parquet else read_csv(self.path, self.source.csv)
        except OSError as error:
            raise _unreadable(self.path, error) from error


def _open(source: SourceSettings, folder: Path) -> _Opened:
    if source.uri.startswith(samples.SCHEME):
        if source.sha256 is not None:
            raise InvalidSpec("sha256 does not apply to sample://", "remove sha256")
        return _Opened(source, None, samples.parse(source.uri))
    path = fetch(source, folder, _admit)
    try:
        return _Opened(source, path, None)
    except OSError as error:
        raise _unreadable(path, error) from error


def _admit(size: int, uri: str) -> None:
    """Refuse a download that could not be read into memory in any case."""
    memory.check(memory.least_need(size), memory.limit_bytes(), uri)


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read: {error.strerror or error}", "check the file's permissions")


def _alike(table: Table, name: str, first: Table, first_name: str, notices: list[str]) -> Table:
    """The columns of the first file, in a file of a part."""
    for column in first.columns:
        if column not in table.columns:
            raise DataError(
                f"{name} has no column '{column}', which {first_name} has",
                "give every file of data.split.files the columns of data.source",
            )
    if more := [column for column in table.columns if column not in first.columns]:
        notices.append(
            f"{name}: column '{more[0]}'{' and others' * (len(more) > 1)} not in {first_name}, left out"
        )
    return Table({column: table.columns[column] for column in first.columns}, table.rows)


def _different(names: list[str]) -> list[str]:
    """Names that tell the files apart."""
    roles = ("source", *("split.files",) * (len(names) - 1))
    return [
        name if names.count(name) == 1 else f"{name} ({role})"
        for name, role in zip(names, roles, strict=True)
    ]
