"""`trainyard run FILE`: the trainer of the pods, in this process, with a live display and no cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from trainyard.api.base import InvalidManifest
from trainyard.local.manifest import read_training_job

if TYPE_CHECKING:
    from trainyard_trainer.resolve import Job

_INVALID = 64


def run(file: Path, overrides: list[str], tracking_uri: str | None) -> int:
    """Train a manifest here; the exit codes are those of the trainer pod.

    Args:
        file: A TrainingJob manifest.
        overrides: PATH=VALUE, paths below `spec`.
        tracking_uri: MLflow; MLFLOW_TRACKING_URI or a SQLite file in this folder where silent.
    """
    from trainyard.cli.complain import say

    try:
        manifest = read_training_job(file, overrides)
    except InvalidManifest as error:
        for problem in error.problems:
            say(problem, None)
        return _INVALID
    from trainyard.cli.train import train
    from trainyard.local import store
    from trainyard.local.rundir import RunFolder

    uri, console = store.tracking_uri(tracking_uri), Console()
    with RunFolder.open(manifest.to_kubernetes(), uri) as folder:

        def make_job() -> Job:
            from trainyard.local.attempt import local_attempt
            from trainyard_trainer.resolve import resolve

            return resolve(local_attempt(manifest, uri, folder.uid), store.artifact_root(uri))

        finished = train(console, folder, make_job)
    if isinstance(finished, int):
        return finished
    from trainyard.cli.rundisplay import show_success

    show_success(console, finished)
    return 0
