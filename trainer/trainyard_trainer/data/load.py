"""From the source's address to the table in memory, if it will fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from trainyard_trainer.data import memory, samples
from trainyard_trainer.data.read import is_parquet, read_parquet
from trainyard_trainer.data.read_csv import read_csv
from trainyard_trainer.data.settings import DataSettings, SourceSettings
from trainyard_trainer.data.source import content_hash, fetch
from trainyard_trainer.data.table import Table, joined
from trainyard_trainer.errors import DataError, InvalidSpec

_WORTH_SAYING = 1 << 20


class Opened:
    """A source that is here and has been measured, but not read.

    Attributes:
        source: Its settings.
        name: What its rows are called in messages.
        size: Bytes of the file; None for what is generated.
        need: Bytes of memory that reading and encoding it take, at most.
    """

    def __init__(self, source: SourceSettings, path: Path | None, sample: samples.Sample | None) -> None:
        self.source, self._path, self._sample = source, path, sample
        self._parquet = path is not None and is_parquet(path, source.format)
        self.name = source.uri if path is None else path.name
        self.size = None if path is None else path.stat().st_size
        if path is not None:
            self.need = memory.need_bytes(path, self._parquet)
        else:
            self.need = memory.need_of_sample(0 if sample is None else sample.bytes)

    @property
    def sha256(self) -> str | None:
        """What a pin of the file would be."""
        return None if self._path is None else content_hash(self._path)

    def read(self) -> tuple[Table, list[str]]:
        """The table and notices.

        Raises:
            DataError: It cannot be read.
        """
        if self._path is None:
            assert self._sample is not None  # noqa: S101 - a source is a file or a sample
            return self._sample.make()
        try:
            return read_parquet(self._path) if self._parquet else read_csv(self._path, self.source.csv)
        except OSError as error:
            raise _unreadable(self._path, error) from error


def load(
    settings: DataSettings, folder: Path, say: Callable[[str], None] = lambda text: None
) -> tuple[Table, list[str]]:
    """Read the source, and the files of parts if there are any; what they need is said before they are read.

    Args:
        settings: Where the rows are.
        folder: Where downloads may be put.
        say: Told what goes on.

    Raises:
        JobError: As `open_sources` and `read_sources`.
    """
    opened = open_sources(settings, folder)
    if (text := stated_need(opened)) is not None:
        say(text)
    return read_sources(opened)


def open_sources(settings: DataSettings, folder: Path) -> list[Opened]:
    """Fetch what is elsewhere: the source first, then files of parts.

    Raises:
        JobError: As `fetch`; and DataError where a download would not fit into memory.
    """
    split = settings.split
    sources = [s for s in (settings.source, split.validation_file, split.test_file) if s is not None]
    return [_open(source, folder / str(i)) for i, source in enumerate(sources)]


def stated_need(opened: Sequence[Opened]) -> str | None:
    """Memory that reading takes, in words; None where it is not worth saying.

    Raises:
        DataError: It is more than there may be.
    """
    need = sum(file.need for file in opened)
    text = memory.check(need, memory.limit_bytes(), " + ".join(file.source.uri for file in opened))
    return text if need >= _WORTH_SAYING else None


def read_sources(opened: Sequence[Opened]) -> tuple[Table, list[str]]:
    """One table of all the files' rows, and notices.

    Raises:
        DataError: A file cannot be read, or has not the columns of the first.
    """
    first = opened[0]
    table, notices = first.read()
    if len(opened) == 1:
        return table, notices
    tables = [table]
    for file in opened[1:]:
        other, said = file.read()
        notices += [f"{file.name}: {notice}" for notice in said]
        tables.append(_alike(other, file.name, table, first.name, notices))
    return joined(tables, _different([file.name for file in opened])), notices


def _open(source: SourceSettings, folder: Path) -> Opened:
    if source.uri.startswith(samples.SCHEME):
        if source.sha256 is not None:
            raise InvalidSpec("sha256 does not apply to sample://", "remove sha256")
        return Opened(source, None, samples.parse(source.uri))
    path = fetch(source, folder, _admit)
    try:
        return Opened(source, path, None)
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
        others = " and others" if len(more) > 1 else ""
        notices.append(f"{name}: column '{more[0]}'{others} not in {first_name}, left out")
    return Table({column: table.columns[column] for column in first.columns}, table.rows)


def _different(names: list[str]) -> list[str]:
    """Names that tell the files apart."""
    roles = ("source", *("split.files",) * (len(names) - 1))
    return [
        name if names.count(name) == 1 else f"{name} ({role})"
        for name, role in zip(names, roles, strict=True)
    ]
