"""The part that `trainyard run` and `trainyard rerun` share: train in this process, with a display."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from trainyard.api.wire import Result
    from trainyard.local.rundir import RunFolder
    from trainyard_trainer.outcome import Outcome
    from trainyard_trainer.resolve import Job
    from trainyard_trainer.stop import StopRequest


@dataclass(frozen=True, slots=True)
class Finished:
    """A training that ended well."""

    job: Job
    result: Result
    outcome: Outcome
    training_seconds: float
    seconds: float


def train(console: Console, folder: RunFolder, make_job: Callable[[], Job]) -> Finished | int:
    """Train; what ended badly has been said, and its exit code comes back.

    Args:
        console: Where it is shown.
        folder: Where checkpoints are; kept for the next time when this one is stopped.
        make_job: Called once torch is there.
    """
    from trainyard_trainer.threads import prepare_environment

    started = time.monotonic()
    prepare_environment()
    from trainyard.local.interrupt import stoppable

    with stoppable((signal.SIGINT, signal.SIGTERM), console.print, _leave) as stop:
        return _train(console, folder, make_job, stop, started)


def _train(
    console: Console, folder: RunFolder, make_job: Callable[[], Job], stop: StopRequest, started: float
) -> Finished | int:
    with console.status("loading torch"):
        from trainyard.cli.complain import complain
        from trainyard.cli.rundisplay import show_failure
        from trainyard.local.progress import make_observer
        from trainyard_trainer.errors import JobError
        from trainyard_trainer.launch.beside import run_here
    try:
        job = make_job()
    except JobError as error:
        complain(error)
        return error.exit_code
    with make_observer(console, job.fit.metric) as observer:
        result, outcome = run_here(job, folder.path, observer, stop)
    if result.exit_code:
        folder.resumable = result.cause == "Stopped"
        show_failure(result)
        return result.exit_code
    return Finished(job, result, outcome, observer.headline.training_seconds, time.monotonic() - started)


def _leave(number: int) -> None:
    os._exit(128 + number)
