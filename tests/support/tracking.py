"""A real MLflow server on loopback, with a store of its own, and models logged as the trainer logs them."""

from __future__ import annotations

import os
import signal
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.processes import Child, free_port

READY_S = 90.0
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
_CODE = """
import mlflow


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input


mlflow.models.set_model(Echo())
"""


@dataclass
class TrackingServer:
    """`mlflow server` as the chart runs it: SQLite, artifacts through the server, one worker."""

    folder: Path
    port: int = field(default_factory=free_port)
    _child: Child | None = None

    @property
    def uri(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, on the store that is there, and wait until it answers."""
        argv = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={self.port}"]
        argv += ["--workers=1", "--serve-artifacts", f"--artifacts-destination={self.folder / 'artifacts'}"]
        argv += [f"--backend-store-uri=sqlite:///{self.folder / 'mlflow.db'}"]
        self._child = Child.start("mlflow", argv, log=self.folder / "mlflow.log", env=QUIET)
        deadline = time.monotonic() + READY_S
        while not self._answers():
            self._child.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"MLflow does not answer after {READY_S:.0f} s:\n{self._child.tail()}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Take it away; its store stays. Its worker dies with it."""
        if self._child is not None:
            self._child.stop(sig=signal.SIGTERM)

    def log_model(self) -> tuple[str, str]:
        """Log a small model with a package folder; its URI and the run's id come back."""
        os.environ.update(QUIET)
        import mlflow

        package = self.folder / "package"
        package.mkdir(exist_ok=True)
        (package / "package.json").write_text("{}")
        (package / "model.safetensors").write_bytes(b"\0" * 8)
        code = self.folder / "echo_model.py"
        code.write_text(_CODE)
        mlflow.set_tracking_uri(self.uri)
        with mlflow.start_run(log_system_metrics=False) as run:
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(code),
                artifacts={"package": str(package)},
                pip_requirements=["numpy"],
            )
        # MLflow exports the address for child processes; those of other tests must not see it.
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        return str(logged.model_uri), str(run.info.run_id)

    def client(self) -> Any:
        """A client as a stranger would use it."""
        from mlflow import MlflowClient

        return MlflowClient(self.uri, self.uri)

    def artifact(self, uri: str, name: str) -> bytes:
        """Read a file of a folder that the server proxies, by plain HTTP, as a serving pod does."""
        path = uri.removeprefix("mlflow-artifacts:/").lstrip("/")
        url = f"{self.uri}/api/2.0/mlflow-artifacts/artifacts/{path}/{name}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return bytes(answer.read())

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
