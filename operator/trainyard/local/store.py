"""Which MLflow a training on this machine is logged to, and where its runs are looked for."""

from __future__ import annotations

import os
from pathlib import Path

from trainyard_trainer.errors import InvalidSpec

_DATABASE = "mlflow.db"
_ARTIFACTS = "mlruns"


def tracking_uri(given: str | None) -> str:
    """What was given, else MLFLOW_TRACKING_URI, else a SQLite file in this folder."""
    return given or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / _DATABASE}"


def existing_uri(given: str | None) -> str:
    """The same, for reading: the SQLite file must be there.

    Raises:
        InvalidSpec: Nothing was named, and this folder has no such file.
    """
    uri = tracking_uri(given)
    if uri == f"sqlite:///{Path.cwd() / _DATABASE}" and not (Path.cwd() / _DATABASE).is_file():
        raise InvalidSpec(
            f"there is no {_DATABASE} in this folder",
            "do this where the training was run, or name an MLflow server (--tracking-uri, tracking_uri=)",
        )
    return uri


def artifact_root(uri: str) -> str | None:
    """Where a new experiment of a local store keeps its files; a server decides that itself."""
    return (Path.cwd() / _ARTIFACTS).as_uri() if uri.startswith("sqlite:") else None


def shown(uri: str) -> str:
    """A store in this folder is named as people type it."""
    return uri.replace(f"sqlite:///{Path.cwd()}/", "sqlite:///")


def option(uri: str) -> str:
    """What a printed command needs so that it finds the same store: nothing in the usual case."""
    return "" if shown(uri) == f"sqlite:///{_DATABASE}" else f" --tracking-uri {shown(uri)}"
