"""From a URI to a file on this machine whose bytes are the ones that were meant."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from trainyard_trainer.data import remote
from trainyard_trainer.data.settings import SourceSettings
from trainyard_trainer.errors import DataError, DependencyDown, InvalidSpec

RETRY_SECONDS = 15.0
_CHUNK = 1 << 20


def fetch(source: SourceSettings, folder: Path, admit: Callable[[int, str], None]) -> Path:
    """A local path to the source's file or folder, checked against the pin.

    Args:
        source: A path, or a file://, http://, https:// or s3:// URI.
        folder: Where a download may be put.
        admit: Told the size of a download before it begins; may refuse it.

    Raises:
        DataError: No such file, or other bytes than pinned.
        DependencyDown: The host cannot be reached.
        NotAllowed: The host refuses.
        InvalidSpec: A kind of URI that is not read.
    """
    parts = urlsplit(source.uri)
    if parts.scheme in remote.OPEN:
        path = _download(source.uri, folder, admit)
    elif parts.scheme in ("", "file") or len(parts.scheme) == 1:
        path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(source.uri)
        if not path.exists():
            raise DataError(
                f"{source.uri} does not exist", "check data.source.uri; in a pod the file must be mounted"
            )
    else:
        raise InvalidSpec(
            f"data.source.uri: {parts.scheme}:// is not read",
            "use a path, file://, http://, https://, s3:// or sample://",
        )
    if source.sha256 is not None:
        _check_pin(path, source)
    return path


def content_size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def content_hash(path: Path) -> str:
    r"""SHA-256 of a file, as a pin has it; of a folder, that of its files' hashes and names.

    In a folder, `find * -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum` says it.

    Raises:
        DataError: A file cannot be read.
    """
    total = hashlib.sha256()
    if path.is_dir():
        for name in sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()):
            total.update(f"{content_hash(path / name)}  {name}\n".encode())
        return total.hexdigest()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                total.update(chunk)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the file's permissions") from error
    return total.hexdigest()


def _check_pin(path: Path, source: SourceSettings) -> None:
    if (found := content_hash(path)) != source.sha256:
        raise DataError(
            f"{source.uri} is not what was pinned: its SHA-256 is {found}, the pin says {source.sha256}",
            "restore the file, or pin the new content (sha256) if it is meant",
        )


def _download(uri: str, folder: Path, admit: Callable[[int, str], None]) -> Path:
    """Fetch with retries for about RETRY_SECONDS; refusals are final at once."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (Path(unquote(urlsplit(uri).path)).name or "data")
    deadline, pause = time.monotonic() + RETRY_SECONDS, 0.5
    while True:
        try:
            with remote.OPEN[urlsplit(uri).scheme](uri) as (size, chunks), path.open("wb") as file:
                if size is not None:
                    admit(size, uri)
                for chunk in chunks:
                    file.write(chunk)
            return path
        except remote.Hiccup as error:
            reason = str(error)
        if time.monotonic() + pause > deadline:
            break
        time.sleep(pause)
        pause = min(pause * 2, 4.0)
    raise DependencyDown(f"{uri} cannot be fetched: {reason:.300}", "check that the host is up and reachable")
