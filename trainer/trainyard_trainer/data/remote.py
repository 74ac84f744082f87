"""Files on other machines, as their size and a stream of chunks: http(s) and S3.

S3 is read by Arrow's own client, which needs no further library. It takes credentials as Amazon's tools do:
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (a credentialsSecret becomes the environment), a profile, or a
web identity; where there are none, the request is anonymous. AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL names
another server than Amazon's, AWS_REGION the region.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from trainyard_trainer.errors import DataError, NotAllowed

_CHUNK = 1 << 20
_SECONDS = 10.0
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
_REFUSED = ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "HTTP status 403")
_REFUSED_REMEDY = "check the credentials: data.source.credentialsSecret in a cluster, AWS_* variables here"
_ABSENT = ("NO_SUCH_BUCKET", "NO_SUCH_KEY", "RESOURCE_NOT_FOUND", "HTTP status 404")

Opened = tuple[int | None, Iterator[bytes]]


class Hiccup(Exception):  # noqa: N818 - not an end of the job
    """It did not work this time."""


@contextmanager
def open_http(uri: str) -> Generator[Opened]:
    """A file by http or https.

    Raises:
        NotAllowed: The host refuses.
        DataError: There is no such file.
        Hiccup: Anything else.
    """
    import requests

    try:
        with requests.get(uri, stream=True, timeout=_SECONDS) as reply:
            said = f"{uri} answers {reply.status_code} {reply.reason}"
            if reply.status_code in (401, 403):
                raise NotAllowed(said, "check the credentials")
            if 400 <= reply.status_code < 500 and reply.status_code not in (408, 429):
                raise DataError(said, "check data.source.uri")
            reply.raise_for_status()
            length = reply.headers.get("Content-Length", "")
            yield int(length) if length.isdecimal() else None, reply.iter_content(_CHUNK)
    except requests.RequestException as error:
        raise Hiccup(str(error)) from error


@contextmanager
def open_s3(uri: str) -> Generator[Opened]:
    """An object of a bucket, s3://bucket/key.

    Raises:
        NotAllowed: The credentials are missing, wrong or not enough.
        DataError: There is no such bucket or object.
        Hiccup: Anything else.
    """
    parts = urlsplit(uri)
    key = unquote(parts.path).lstrip("/") + (f"?{parts.query}" if parts.query else "")
    if not parts.netloc or not key:
        raise DataError(f"{uri} names no object", "write s3://bucket/key")
    try:
        with _s3().open_input_stream(f"{parts.netloc}/{key}") as stream:
            size = stream.metadata().get(b"Content-Length") if hasattr(stream, "metadata") else None
            yield int(size) if size else None, iter(lambda: stream.read(_CHUNK), b"")
    except FileNotFoundError as error:
        raise DataError(f"{uri} does not exist", "check data.source.uri: bucket, key and region") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise  # ours: the disk that the download goes to
        _raise(uri, " ".join(str(error).split()), error)


def _s3() -> Any:
    from pyarrow import fs

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    configured = any(os.environ.get(name) for name in _CREDENTIALS) or (Path.home() / ".aws").is_dir()
    return fs.S3FileSystem(
        anonymous=not configured,
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None,
        scheme=urlsplit(endpoint).scheme or "https",
        endpoint_override=endpoint.partition("://")[2].rstrip("/") or None,
        connect_timeout=_SECONDS,
        request_timeout=60.0,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )


def _raise(uri: str, text: str, error: OSError) -> None:
    if any(sign in text for sign in _REFUSED):
        raise NotAllowed(f"{uri} may not be read: {text:.300}", _REFUSED_REMEDY) from error
    if any(sign in text for sign in _ABSENT):
        raise DataError(f"{uri} does not exist", "check data.source.uri: bucket, key and region") from error
    raise Hiccup(text) from error


OPEN: dict[str, Callable[[str], AbstractContextManager[Opened]]] = {
    "http": open_http,
    "https": open_http,
    "s3": open_s3,
}
