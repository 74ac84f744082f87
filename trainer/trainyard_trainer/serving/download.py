"""One file from an http(s) address, or from any store that fsspec knows, onto this disk."""

from __future__ import annotations

import base64
import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

from trainyard_trainer.errors import DataError, DependencyDown, InvalidSpec, NotAllowed, Temporary

TRY_SECONDS = 30.0
_ANSWER_SECONDS = 20.0


def download(url: str, path: Path, patience: float = TRY_SECONDS) -> None:
    """Write what the address holds; try again while the server is down.

    Raises:
        DataError: There is no such file.
        NotAllowed: The server refuses.
        DependencyDown: It does not answer.
    """
    deadline, pause = time.monotonic() + patience, 0.5
    while True:
        try:
            return _once(url, path)
        except DependencyDown:
            if time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 5.0)


def _once(url: str, path: Path) -> None:
    request = urllib.request.Request(url, headers=_credentials())  # noqa: S310 - http(s), says the caller
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as reply, path.open("wb") as out:  # noqa: S310
            announced = reply.headers.get("content-length")
            shutil.copyfileobj(reply, out, 1 << 20)
            if announced is not None and out.tell() != int(announced):
                raise http.client.IncompleteRead(b"")
    except urllib.error.HTTPError as error:
        said = f"{url}: {error.code} {error.reason}"
        if error.code in (401, 403):
            raise NotAllowed(said, "give the pod MLflow's credentials (MLFLOW_TRACKING_TOKEN)") from None
        if error.code >= 500 or error.code in (408, 429):
            raise DependencyDown(said, "see the log of the MLflow server") from None
        raise DataError(said, "the model's files are gone: serve another version, or train it anew") from None
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "reason", None) or error
        if isinstance(error, OSError) and error.filename is not None:
            raise Temporary(
                f"{path} cannot be written: {error.strerror}", "give the pod more space"
            ) from None
        raise DependencyDown(
            f"{url} cannot be read: {why or type(error).__name__}", "check that the MLflow server runs"
        ) from None


def _credentials() -> dict[str, str]:
    """As MLflow's own client takes them."""
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    return {}


def copy(uri: str, path: Path) -> None:
    """Write what the store holds at the URI (file://, s3:// and what else is installed).

    Raises:
        DataError: There is no such file.
        NotAllowed: The store refuses.
        InvalidSpec: Nothing installed reads such URIs.
        DependencyDown: It cannot be reached.
    """
    import fsspec

    try:
        with fsspec.open(uri, "rb") as found, path.open("wb") as out:
            shutil.copyfileobj(found, out, 1 << 20)
    except FileNotFoundError:
        raise DataError(f"{uri} is not there", "serve another version, or train the model anew") from None
    except PermissionError as error:
        raise NotAllowed(f"{uri} may not be read: {error}", "give the pod credentials for it") from None
    except (ImportError, ValueError) as error:
        raise InvalidSpec(f"{uri} cannot be read: {error}", "install it in a derived trainer image") from None
    except OSError as error:
        raise DependencyDown(
            f"{uri} cannot be read: {error}", "check that the store can be reached"
        ) from None
