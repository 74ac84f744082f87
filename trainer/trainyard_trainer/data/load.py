"""From the source's address to the table in memory, if it will fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from trainyard_trainer.data import memory, samples
from trainyard_trainer.data.formats import Reader, SampleReader, reader_of
from trainyard_trainer.data.settings import DataSettings, SourceSettings
from trainyard_trainer.data.source import fetch
from trainyard_trainer.data.table import Table, joined
from trainyard_trainer.errors import DataError, InvalidSpec

_WORTH_SAYING = 1 << 20


class Opened:
    """A source that is here and has been measured, but not read.

    Attributes:
        source: Its settings.
        name: What its rows are called in messages.
        paths: Where it is, and where its labels are; nowhere, if it is generated.
        need: Bytes of memory that reading and encoding it take, at most.
    """

    def __init__(self, source: SourceSettings, paths: Sequence[Path], reader: Reader) -> None:
        self.source, self.paths, self._reader = source, tuple(paths), reader
        self.name = paths[0].name if paths else source.uri
        self.need = reader.need

    @property
    def uris(self) -> tuple[str, ...]:
        """What was asked for: the source, and its labels."""
        labels = self.source.labels
        return (self.source.uri,) if labels is None else (self.source.uri, labels.uri)

    def read(self) -> tuple[Table, list[str]]:
        """The table and notices.

        Raises:
            DataError: It cannot be read.
        """
        try:
            return self._reader.read()
        except OSError as error:
            raise _unreadable(str(self.paths[0]), error) from error


def load(
    settings: DataSettings,
    folder: Path,
    say: Callable[[str], None] = lambda text: None,
    opened: Callable[[Sequence[Opened]], None] = lambda opened: None,
) -> tuple[Table, list[str]]:
    """Read the source, and the files of parts if there are any; what they need is said before they are read.

    Args:
        settings: Where the rows are.
        folder: Where downloads may be put.
        say: Told what goes on.
        opened: Given what is here before it is read; may refuse it.

    Raises:
        JobError: As `open_sources` and `read_sources`.
    """
    here = open_sources(settings, folder)
    opened(here)
    if (text := stated_need(here)) is not None:
        say(text)
    return read_sources(here)


def open_sources(settings: DataSettings, folder: Path) -> list[Opened]:
    """Fetch what is elsewhere: the source first, then files of parts.

    Raises:
        JobError: As `fetch`; and DataError where a download would not fit into memory.
    """
    split = settings.split
    sources = [s for s in (settings.source, split.validation_file, split.test_file) if s is not None]
    return [_open(source, folder / str(i), settings) for i, source in enumerate(sources)]


def stated_need(opened: Sequence[Opened]) -> str | None:
    """Memory that reading takes, in words; None where it is not worth saying.

    Raises:
        DataError: It is more than there may be.
    """
    need = sum(file.need for file in opened)
    text = memory.check(need, memory.share_bytes(), " + ".join(file.source.uri for file in opened))
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


def _open(source: SourceSettings, folder: Path, settings: DataSettings) -> Opened:
    if source.uri.startswith(samples.SCHEME):
        if source.sha256 is not None:
            raise InvalidSpec("sha256 does not apply to sample://", "remove sha256")
        return Opened(source, (), SampleReader(samples.parse(source.uri)))
    path = fetch(source, folder, _admit)
    labels = None if source.labels is None else fetch(source.labels, folder / "labels", _admit)
    try:
        reader = reader_of(path, labels, source, settings)
    except OSError as error:
        raise _unreadable(str(path), error) from error
    return Opened(source, (path,) if labels is None else (path, labels), reader)


def _admit(size: int, uri: str) -> None:
    """Refuse a download that could not be read into memory in any case."""
    memory.check(memory.least_need(size), memory.share_bytes(), uri)


def _unreadable(name: str, error: OSError) -> DataError:
    return DataError(f"{name} cannot be read: {error.strerror or error}", "check the file's permissions")


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
