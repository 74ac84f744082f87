"""`trainyard run FILE`: the trainer of the pods, in this process, with a live display and no cluster."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from trainyard.api.base import InvalidManifest
from trainyard.api.trainingjob import TrainingJob
from trainyard.local.manifest import read_training_job

if TYPE_CHECKING:
    from trainyard.local.rundir import RunFolder
    from trainyard_trainer.stop import StopRequest

_INVALID = 64


def run(file: Path, overrides: list[str], tracking_uri: str | None) -> int:
    """Train a manifest here; the exit codes are those of the trainer pod.

    Args:
        file: A TrainingJob manifest.
        overrides: PATH=VALUE, paths below `spec`.
        tracking_uri: MLflow; MLFLOW_TRACKING_URI or a SQLite file in this folder where silent.
    """
    console, started = Console(), time.monotonic()
    try:
        manifest = read_training_job(file, overrides)
    except InvalidManifest as error:
        for problem in error.problems:
            Console(stderr=True).print(f"[red]✗[/] {escape(problem)}", highlight=False, soft_wrap=True)
        return _INVALID
    from trainyard.local import store
    from trainyard.local.rundir import RunFolder

    uri = store.tracking_uri(tracking_uri)

    with RunFolder.open(manifest, uri) as folder:
        return _train(manifest, uri, folder, console, started)


def _train(manifest: TrainingJob, uri: str, folder: RunFolder, console: Console, started: float) -> int:
    from trainyard_trainer.fit.device import prepare_environment
    from trainyard_trainer.stop import StopRequest

    prepare_environment()
    stop = StopRequest()
    _stop_on_signals(stop, console)
    with console.status("loading torch"):
        from trainyard.cli.rundisplay import make_observer, show_failure, show_success
        from trainyard.local import store
        from trainyard.local.attempt import local_attempt
        from trainyard_trainer.errors import JobError
        from trainyard_trainer.pipeline import Outcome
        from trainyard_trainer.resolve import resolve
        from trainyard_trainer.runner import make_result, run_job
    try:
        job = resolve(local_attempt(manifest, uri, folder.uid), store.artifact_root(uri))
    except JobError as error:
        show_failure(make_result(Outcome(), error))
        return error.exit_code
    with make_observer(console) as observer:
        result, outcome = run_job(job, folder.path, observer, stop)
    if result.exit_code == 0:
        show_success(console, job, outcome, observer.training_seconds, time.monotonic() - started)
    else:
        folder.resumable = result.cause == "Stopped"
        show_failure(result)
    return result.exit_code


def _stop_on_signals(stop: StopRequest, console: Console) -> None:
    """Ctrl-C saves and stops; a second one does not wait for that."""

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()
        console.print("stopping: saving a checkpoint (Ctrl-C again to stop at once)")

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
