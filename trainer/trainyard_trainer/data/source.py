"""From a URI to a file on this machine whose bytes are the ones that were meant."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from trainyard_trainer.data.settings import SourceSettings
from trainyard_trainer.errors import DataError, DependencyDown, InvalidSpec, NotAllowed

RETRY_SECONDS = 15.0
_CHUNK = 1 << 20


def fetch(source: SourceSettings, folder: Path) -> Path:
    """A local path to the source's bytes, checked against the pin.

    Args:
        source: A path, or a file://, http:// or https:// URI.
        folder: Where a download may be put.

    Raises:
        DataError: No such file, or other bytes than pinned.
        DependencyDown: The host cannot be reached.
        NotAllowed: The host refuses.
        InvalidSpec: A kind of URI that this version does not read.
    """
    parts = urlsplit(source.uri)
    if parts.scheme in ("http", "https"):
        path = _download(source.uri, folder)
    elif parts.scheme in ("", "file") or len(parts.scheme) == 1:
        path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(source.uri)
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise DataError(
                f"{source.uri} {what}", "check data.source.uri; in a pod the file must be mounted"
            )
    else:
        raise InvalidSpec(
            f"data.source.uri: {parts.scheme}:// is not read by this version",
            "use a path, file://, http://, https:// or sample://",
        )
    _check_pin(path, source)
    return path


def _check_pin(path: Path, source: SourceSettings) -> None:
    if source.sha256 is None:
        return
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                total.update(chunk)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the file's permissions") from error
    if total.hexdigest() != source.sha256:
        raise DataError(
            f"{source.uri} is not the pinned file: its SHA-256 is {total.hexdigest()}, "
            f"data.source.sha256 says {source.sha256}",
            "restore the file, or pin the new content if it is meant",
        )


def _download(uri: str, folder: Path) -> Path:
    """Fetch with retries for about RETRY_SECONDS; refusals are final at once."""
    import requests

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (Path(urlsplit(uri).path).name or "data")
    deadline, pause, reason = time.monotonic() + RETRY_SECONDS, 0.5, ""
    while True:
        try:
            with requests.get(uri, stream=True, timeout=10) as reply:
                if reply.status_code in (401, 403):
                    raise NotAllowed(
                        f"{uri} answers {reply.status_code} {reply.reason}", "check the credentials"
                    )
                if 400 <= reply.status_code < 500 and reply.status_code not in (408, 429):
                    raise DataError(
                        f"{uri} answers {reply.status_code} {reply.reason}", "check data.source.uri"
                    )
                reply.raise_for_status()
                with path.open("wb") as file:
                    for chunk in reply.iter_content(_CHUNK):
                        file.write(chunk)
                return path
        except requests.RequestException as error:
            reason = str(error)
        if time.monotonic() + pause > deadline:
            break
        time.sleep(pause)
        pause = min(pause * 2, 4.0)
    raise DependencyDown(f"{uri} cannot be fetched: {reason:.300}", "check that the host is up and reachable")
