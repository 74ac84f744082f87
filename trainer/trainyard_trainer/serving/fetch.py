"""The init container: bring the pinned package into the pod, or say why not. It knows no MLflow client.

A package that does not have the pinned SHA-256 is never left where the server would find it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from trainyard_trainer.errors import DataError, InvalidSpec, JobError
from trainyard_trainer.serving.download import copy, download
from trainyard_trainer.serving.settings import required
from trainyard_trainer.threads import prepare_environment

_PROXY = "/api/2.0/mlflow-artifacts/artifacts"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to bring, and where to."""

    uri: str
    sha256: str
    folder: Path
    tracking_uri: str = ""


def wanted(env: Mapping[str, str]) -> Wanted:
    """From TRAINYARD_* variables.

    Raises:
        InvalidSpec: One is missing or no SHA-256.
    """
    sha256 = required(env, "TRAINYARD_SHA256").lower()
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise InvalidSpec(f"TRAINYARD_SHA256={sha256!r:.80} is no SHA-256", "set 64 hexadecimal digits")
    folder = Path(env.get("TRAINYARD_MODEL_DIR") or "/model")
    uri = required(env, "TRAINYARD_ARTIFACT_URI").rstrip("/")
    return Wanted(uri, sha256, folder, env.get("TRAINYARD_TRACKING_URI", "").rstrip("/"))


def source(uri: str, tracking_uri: str) -> str:
    """Where the folder of an artifact URI is read from: an http(s) address, or what fsspec understands.

    >>> source("mlflow-artifacts:/1/models/m-1/artifacts/package", "http://mlflow:5000")
    'http://mlflow:5000/api/2.0/mlflow-artifacts/artifacts/1/models/m-1/artifacts/package'

    Raises:
        InvalidSpec: The URI cannot be read here.
    """
    parts = urlsplit(uri)
    if parts.scheme == "mlflow-artifacts":
        if not tracking_uri.startswith(("http://", "https://")):
            raise InvalidSpec(
                f"{uri} is read through the tracking server, but TRAINYARD_TRACKING_URI is {tracking_uri!r}",
                "set it to the http(s) address of MLflow",
            )
        server = urlsplit(tracking_uri)
        host = parts.netloc or server.netloc
        return f"{server.scheme}://{host}{server.path.rstrip('/')}{_PROXY}/{quote(parts.path.strip('/'))}"
    if parts.scheme in ("models", "runs"):
        raise InvalidSpec(
            f"{uri} names a model, not the folder of its files",
            "give the artifact URI of the package's folder",
        )
    return uri


def fetch(asked: Wanted) -> str:
    """Bring the package; a sentence about it comes back.

    Raises:
        JobError: It cannot be had, or is another one.
    """
    from trainyard_model import PackageError, package_digest
    from trainyard_model.folder import MANIFEST, file_names, read_manifest

    def digest(folder: Path) -> str | None:
        try:
            return package_digest(folder)
        except PackageError:
            return None

    if digest(asked.folder) == asked.sha256:
        return f"{asked.folder} has the package already: {asked.sha256}"
    where = source(asked.uri, asked.tracking_uri)
    asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix=".fetch-") as scratch:
        read = download if where.startswith(("http://", "https://")) else copy
        read(f"{where}/{MANIFEST}", Path(scratch) / MANIFEST)
        try:
            names = (MANIFEST, *file_names(read_manifest(Path(scratch))))
        except PackageError as error:
            raise DataError(
                f"what lies at {where} is no package: {error}", "serve another version"
            ) from error
        for name in names[1:]:
            read(f"{where}/{name}", Path(scratch) / name)
        found = digest(Path(scratch))
        if found != asked.sha256:
            raise DataError(
                f"the package at {where} has SHA-256 {found}, pinned is {asked.sha256}",
                "its files were changed after it was registered: train and promote it anew, "
                "or serve another version",
            )
        for name in names:
            shutil.move(Path(scratch) / name, asked.folder / name)
    size = sum((asked.folder / name).stat().st_size for name in names)
    return f"fetched {where} ({size} bytes), SHA-256 {asked.sha256} as pinned"


def main() -> int:
    """0 when the package is there; else the exit code of the cause."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    prepare_environment()
    try:
        print(fetch(wanted(os.environ)), flush=True)
    except JobError as error:
        print(f"{error.cause}: {error.message}; what to do: {error.remedy}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
