"""Whether MLflow is there, and how its client behaves in this process.

To be called before `mlflow` is imported: it reads these variables then. Its own defaults retry for minutes,
report usage to the outside, and talk more than a training does.
"""

from __future__ import annotations

import logging
import os
import time
import urllib.error
import urllib.request
import warnings

from trainyard_trainer.errors import DependencyDown, NotAllowed

START_SECONDS = 15.0
_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "GIT_PYTHON_REFRESH": "quiet",
}


def configure() -> None:
    """Set what is not set, and quieten what people cannot act on."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"mlflow\..*")
    warnings.filterwarnings("ignore", message="IProgress not found")  # tqdm in a notebook; we show our own


def wait_until_up(uri: str) -> None:
    """Return when the server answers; a database or folder is there by itself.

    Raises:
        DependencyDown: It did not, in the time given.
        NotAllowed: It answers, and refuses.
    """
    if not uri.startswith(("http://", "https://")):
        return
    deadline, pause = time.monotonic() + START_SECONDS, 0.25
    while True:
        try:
            with urllib.request.urlopen(uri.rstrip("/") + "/health", timeout=5):  # noqa: S310 - http(s) only
                return
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                raise NotAllowed(
                    f"MLflow at {uri} answers {error.code} {error.reason}",
                    "check its credentials and allowed hosts",
                ) from None
            if error.code < 500:
                return  # something answers; whether it is MLflow, its API will tell
            reason = f"{error.code} {error.reason}"
        except OSError as error:
            reason = str(getattr(error, "reason", error))
        if time.monotonic() + pause > deadline:
            raise DependencyDown(
                f"MLflow at {uri} cannot be reached: {reason}", "check that the server runs and its address"
            )
        time.sleep(pause)
        pause = min(pause * 1.6, 2.0)
