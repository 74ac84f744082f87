"""Run a job to its last word: every end becomes a result, and MLflow hears the same as the operator."""

from __future__ import annotations

import errno
import sys
import traceback
from pathlib import Path

from trainyard.api.wire import Result
from trainyard_trainer.errors import DataError, Defect, JobError, OutOfMemory, PeersLost, Stopped, Temporary
from trainyard_trainer.launch.place import ONLY, Place
from trainyard_trainer.observer import Observer
from trainyard_trainer.outcome import Outcome
from trainyard_trainer.pipeline import Loaded, Pipeline
from trainyard_trainer.resolve import Job
from trainyard_trainer.results import make_result
from trainyard_trainer.stop import StopRequest


def run_job(
    job: Job,
    workdir: Path,
    observer: Observer,
    stop: StopRequest,
    loaded: Loaded | None = None,
    place: Place = ONLY,
) -> tuple[Result, Outcome]:
    """Train and say how it ended; never raises for an end that can be told.

    `loaded` is a table with its notices, in place of what the job's data section names.
    """
    pipeline = Pipeline(job, workdir, observer, stop, loaded, place)
    error: JobError | None = None
    try:
        pipeline.run()
    except BaseException as raised:
        error = as_job_error(raised)
        if error is None:
            traceback.print_exc(file=sys.stderr)
            error = Defect(
                f"{type(raised).__name__}: {raised}", "this is a defect of the trainer; see its log"
            )
    pipeline.outcome.peers_lost = isinstance(error, PeersLost)
    error = pipeline.settle(error)
    result = make_result(pipeline.outcome, error)
    told = pipeline.end(error, result.to_message())
    return (result if told is error else make_result(pipeline.outcome, told)), pipeline.outcome


def as_job_error(raised: BaseException) -> JobError | None:
    """Errors of libraries that have a cause of ours."""
    if isinstance(raised, JobError):
        return raised
    if isinstance(raised, KeyboardInterrupt):
        return Stopped("interrupted", "start it again")
    text = str(raised)
    if isinstance(raised, MemoryError) or "can't allocate memory" in text or "out of memory" in text:
        return OutOfMemory(
            f"out of memory: {text:.300}", "raise compute.resources.limits.memory or lower training.batchSize"
        )
    if isinstance(raised, OSError) and raised.errno == errno.ENOSPC:
        return Temporary(f"the disk is full: {raised.filename}", "free space, or run on another node")
    if isinstance(raised, UnicodeError):
        return DataError(f"a text of the data cannot be read: {text:.300}", "save the data as UTF-8")
    return None
