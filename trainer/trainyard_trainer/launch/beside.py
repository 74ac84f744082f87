"""Several processes on one machine, of which this one is the first and shows how it goes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from trainyard.api.wire import Result
from trainyard_trainer.errors import InvalidSpec, JobError
from trainyard_trainer.launch.children import Children
from trainyard_trainer.launch.layout import Layout
from trainyard_trainer.launch.place import NETWORK
from trainyard_trainer.launch.verdict import LOST, End, verdict
from trainyard_trainer.observer import Observer
from trainyard_trainer.outcome import Outcome
from trainyard_trainer.pipeline import Loaded
from trainyard_trainer.resolve import Job
from trainyard_trainer.results import make_result
from trainyard_trainer.runner import run_job
from trainyard_trainer.stop import StopRequest
from trainyard_trainer.threads import LOCAL_PROCESSES
from trainyard_trainer.tracking.system_cgroup import usage

_FOLLOW_SECONDS = 5.0


def run_here(
    job: Job, workdir: Path, observer: Observer, stop: StopRequest, loaded: Loaded | None = None
) -> tuple[Result, Outcome]:
    """As `run_job`, with as many processes on this machine as the job wants."""
    if job.nodes > 1:
        return _refused(
            InvalidSpec(
                f"compute.nodes is {job.nodes}, and this machine is one node",
                "set compute.nodes to 1 (and compute.processesPerNode), or apply the manifest to a cluster",
            )
        )
    if job.processes == 1:
        return run_job(job, workdir, observer, stop, loaded)
    if loaded is not None:
        return _refused(
            InvalidSpec(
                f"compute.processesPerNode is {job.processes}, and the rows are in this process's memory",
                "save them as Parquet and name the file in data.source, or set compute.processesPerNode to 1",
            )
        )
    return _run_together(job, workdir, observer, stop)


def _refused(error: JobError) -> tuple[Result, Outcome]:
    outcome = Outcome()
    return make_result(outcome, error), outcome


def _run_together(job: Job, workdir: Path, observer: Observer, stop: StopRequest) -> tuple[Result, Outcome]:
    """The first process here, the others as children, which end with it or before."""
    killed = usage().oom_kills or 0
    with TemporaryDirectory(prefix="trainyard-") as name, _cpus_shared(job.processes):
        folder = Path(name)
        (folder / "spec.json").write_text(json.dumps(job.document))
        first, *others = Layout(per_node=job.processes).places(folder)
        environment = {"TRAINYARD_SPEC": str(folder / "spec.json")}
        with Children(others, folder, workdir, environment=environment).start() as children:
            with _watched(children, stop) as failed:
                result, outcome = run_job(job, workdir, observer, stop, place=first)
            if not outcome.peers_lost and not failed.is_set():
                return result, outcome
            children.signal(signal.SIGTERM)
            children.end(_FOLLOW_SECONDS)
            ends = [End(0, LOST if outcome.peers_lost else result.exit_code, result), *children.ends()]
            oom = (usage().oom_kills or 0) > killed
            return verdict(ends, out_of_memory=oom, asked=False), outcome


@contextlib.contextmanager
def _watched(children: Children, stop: StopRequest) -> Iterator[threading.Event]:
    """While it lasts, a child that fails stops this process too, which may wait for it; the event says so."""
    failed, over = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            if children.failed and not stop.is_set():
                failed.set()
                stop.set()
                return

    thread = threading.Thread(target=watch, name="children", daemon=True)
    thread.start()
    try:
        yield failed
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def _cpus_shared(processes: int) -> Iterator[None]:
    """This process takes its share of threads, as the children do; its environment is restored."""
    before = dict(os.environ)
    os.environ[LOCAL_PROCESSES] = str(processes)
    try:
        yield
    finally:
        for name in (LOCAL_PROCESSES, NETWORK):
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]
