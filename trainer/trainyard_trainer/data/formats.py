"""Which reader a file or folder is for: by what was declared, else by its first bytes."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Protocol

from typing_extensions import override

from trainyard_trainer.data import memory, samples
from trainyard_trainer.data.images.folder import ENDINGS, FolderReader
from trainyard_trainer.data.images.idx import IdxReader, is_idx
from trainyard_trainer.data.images.members import FolderMembers, Members, TarMembers, ZipMembers
from trainyard_trainer.data.images.npz import npz_reader
from trainyard_trainer.data.read import read_parquet
from trainyard_trainer.data.read_csv import read_csv
from trainyard_trainer.data.settings import CSVSettings, DataSettings, Format, SourceSettings
from trainyard_trainer.data.table import Table
from trainyard_trainer.errors import DataError, InvalidSpec

_HEAD = 512
_COMPRESSED = (b"BZh", b"\xfd7zXZ")
_TAR = (".tar", ".tgz", ".tbz2", ".txz")


class Reader(Protocol):
    """Data that have been measured, but not read; `need` is the memory that reading them takes, at most."""

    need: int

    def read(self) -> tuple[Table, list[str]]:
        """The table and notices.

        Raises:
            DataError: It cannot be read.
        """
        ...


class CSVReader(Reader):
    """A file of CSV."""

    def __init__(self, path: Path, csv: CSVSettings, texts: bool) -> None:
        self.path, self.csv, self.need = path, csv, memory.need_bytes(path, parquet=False, texts=texts)

    @override
    def read(self) -> tuple[Table, list[str]]:
        return read_csv(self.path, self.csv)


class ParquetReader(Reader):
    """A file of Parquet."""

    def __init__(self, path: Path, texts: bool) -> None:
        self.path, self.need = path, memory.need_bytes(path, parquet=True, texts=texts)

    @override
    def read(self) -> tuple[Table, list[str]]:
        return read_parquet(self.path)


class SampleReader(Reader):
    """Generated, or bundled with a library."""

    def __init__(self, sample: samples.Sample) -> None:
        self.sample, self.need = sample, memory.need_of_sample(sample.bytes)

    @override
    def read(self) -> tuple[Table, list[str]]:
        return self.sample.make()


def reader_of(path: Path, labels: Path | None, source: SourceSettings, settings: DataSettings) -> Reader:
    """The reader of a file or folder; images are measured by their headers.

    Args:
        path: Where it is.
        labels: The file of the labels, for IDX.
        source: Its settings.
        settings: Size and channels of images, and what their labels are to be called.

    Raises:
        DataError: It cannot be read, or is not what was declared.
        InvalidSpec: Labels are named for a format that has its own.
    """
    kind = format_of(path, source.format)
    if labels is not None and kind != "IDX":
        raise InvalidSpec(f"data.source.labels goes with IDX; {path.name} is {kind}", "remove labels")
    targets = settings.targets or ((settings.target,) if settings.target else ())
    match kind:
        case "CSV":
            return CSVReader(path, source.csv, settings.inputs == "text")
        case "Parquet":
            return ParquetReader(path, settings.inputs == "text")
        case "IDX":
            return IdxReader(path, labels, settings.image, settings.target)
        case "NPZ":
            return npz_reader(path, settings.image, targets)
        case "ImageFolder":
            return FolderReader(path.name, _members(path), settings.image, settings.target)


def format_of(path: Path, declared: Format | None) -> Format:
    """By what was declared, else by the content.

    Raises:
        DataError: A folder is declared to be a file, or the file is one single image.
    """
    if path.is_dir():
        if declared not in (None, "ImageFolder"):
            raise DataError(
                f"{path} is a folder, not a file of {declared}", "name the file in data.source.uri"
            )
        return "ImageFolder"
    if declared is not None:
        return declared
    with path.open("rb") as file:
        start = file.read(_HEAD)
    head = _unzipped(path) if start[:2] == b"\x1f\x8b" else start
    if start[:4] == b"PAR1":
        return "Parquet"
    if start[:4] == b"PK\x03\x04" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return "NPZ" if all(name.endswith(".npy") for name in archive.namelist()) else "ImageFolder"
    if is_idx(head):
        return "IDX"
    if head[257:262] == b"ustar" or (
        (start.startswith(_COMPRESSED) or path.name.lower().endswith(_TAR)) and tarfile.is_tarfile(path)
    ):
        return "ImageFolder"
    if path.name.lower().endswith(ENDINGS):
        raise DataError(f"{path.name} is a single image", "name the folder of all images in data.source.uri")
    return "CSV"


def _unzipped(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            return file.read(_HEAD)
    except (OSError, EOFError, zlib.error):
        return b""  # broken, as the reader will say


def _members(path: Path) -> Members:
    if path.is_dir():
        return FolderMembers(path)
    return ZipMembers(path) if zipfile.is_zipfile(path) else TarMembers(path)
