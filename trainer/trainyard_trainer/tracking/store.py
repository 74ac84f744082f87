"""MLflow's current store, borrowed: a process has one, and whoever called us may have set theirs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_EXPORTED = "MLFLOW_TRACKING_URI"


@contextlib.contextmanager
def current_store(uri: str) -> Iterator[None]:
    """Make the store the current one; leaving gives back what was set, and what MLflow exports of it."""
    import mlflow

    exported = os.environ.get(_EXPORTED)
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)
        if exported is None:
            os.environ.pop(_EXPORTED, None)
        else:
            os.environ[_EXPORTED] = exported
