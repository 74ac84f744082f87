"""Files by relative name, be they in a folder, a zip or a tar: read one by one, never unpacked to a disk."""

from __future__ import annotations

import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from typing_extensions import override

from trainyard_trainer.errors import DataError

FILE_AT_MOST = 1 << 29
"""Bytes of one file; more is no image."""


class Members(Protocol):
    """Names, sorted, and contents."""

    names: Sequence[str]

    def contents(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Names and contents of these files, in the order that is quickest.

        Raises:
            DataError: One cannot be read.
        """
        ...


class FolderMembers(Members):
    """All files below a folder."""

    def __init__(self, path: Path) -> None:
        self.path, found = path, []
        for folder, folders, files in os.walk(path):
            folders.sort()
            below = Path(folder).relative_to(path)
            found += [(below / file).as_posix() for file in files]
        self.names = sorted(found)

    @override
    def contents(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        for name in names:
            file = self.path / name
            try:
                _admit(name, file.stat().st_size)
                yield name, file.read_bytes()
            except OSError as error:
                raise _unreadable(name, error) from error


class ZipMembers(Members):
    """All files of a zip."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                members = [info for info in archive.infolist() if not info.is_dir()]
        except (zipfile.BadZipFile, OSError) as error:
            raise _unreadable(path.name, error) from error
        for info in members:
            if info.flag_bits & 1:
                raise DataError(f"{path.name} is encrypted", "save it without a password")
            _admit(info.filename, info.file_size)
        self.names = sorted({info.filename for info in members})
        _check_names(self.names, path.name)

    @override
    def contents(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        with zipfile.ZipFile(self.path) as archive:
            for name in names:
                try:
                    yield name, archive.read(name)
                except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
                    raise _unreadable(f"{self.path.name}: {name}", error) from error


class TarMembers(Members):
    """All regular files of a tar, compressed or not; links and devices are no files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with tarfile.open(path) as archive:
                members = [info for info in archive if info.isreg()]
        except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
            raise _unreadable(path.name, error) from error
        for info in members:
            _admit(info.name, info.size)
        self.names = sorted({info.name for info in members})
        _check_names(self.names, path.name)

    @override
    def contents(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """From the beginning to the end, once: going back means to unpack all before it again."""
        wanted = set(names)
        try:
            with tarfile.open(self.path, "r|*") as archive:
                for info in archive:
                    if info.name in wanted and (file := archive.extractfile(info)) is not None:
                        yield info.name, file.read()
        except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
            raise _unreadable(self.path.name, error) from error


def _check_names(names: Sequence[str], archive: str) -> None:
    """No name may lead out of the archive. Nothing is written, but such an archive is made to do harm."""
    for name in names:
        if (
            name.startswith(("/", "\\"))
            or ":" in name[:3]
            or ".." in PurePosixPath(name.replace("\\", "/")).parts
        ):
            raise DataError(
                f"{archive} has a member '{name:.80}', whose name leads out of it",
                "make the archive again from within the folder of the images",
            )


def _admit(name: str, size: int) -> None:
    if size > FILE_AT_MOST:
        raise DataError(
            f"{name} has {size / 2**20:,.0f} MiB, which is no size of an image",
            "remove it, or make it smaller",
        )


def _unreadable(name: str, error: Exception) -> DataError:
    return DataError(
        f"{name} cannot be read: {error!s:.200}", "check that it is complete, and its permissions"
    )
