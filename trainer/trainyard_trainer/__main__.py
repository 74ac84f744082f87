"""The trainer pod's process 1: it owns the signals, the result and the exit code.

Signals are caught before anything heavy is imported, because a process 1 without handlers ignores SIGTERM
and would be killed 60 seconds later with nothing saved. One process trains right here; of several, this one
starts those of its pod (`launch`), each of which runs this file again.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from trainyard_trainer.stop import StopRequest

if TYPE_CHECKING:
    from trainyard.api.wire import Result
    from trainyard_trainer.launch.place import Place

SPEC, WORKDIR, RESULT = "/etc/trainyard/spec.json", "/var/lib/trainyard", "/dev/termination-log"


def main() -> int:
    """Read spec.json, train, write the result; the contract's exit code comes back."""
    from trainyard_trainer.launch.place import ONLY, Place

    stop, place = StopRequest(), Place.of(os.environ)

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)  # asked twice: whoever asks does not want to wait
        if place is None:
            print(f"{signal.Signals(number).name}: saving and stopping", flush=True)
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    spec = Path(os.environ.get("TRAINYARD_SPEC", SPEC))
    workdir = Path(os.environ.get("TRAINYARD_WORKDIR", WORKDIR))
    if place is not None:
        return _part(place, spec, workdir, stop)
    result = _together(spec, workdir, stop) or _train(ONLY, spec, workdir, stop)[0]
    if result.exit_code:
        print(f"{result.cause or 'failed'}: {result.message}", file=sys.stderr)
        if result.remedy:
            print(f"what to do: {result.remedy}", file=sys.stderr)
    _write_result(result.to_message())
    sys.stdout.flush()
    sys.stderr.flush()
    return result.exit_code


def _together(spec: Path, workdir: Path, stop: StopRequest) -> Result | None:
    """Of the processes of this pod, if there are several or other pods; else None."""
    from trainyard_trainer.errors import InvalidSpec
    from trainyard_trainer.launch.layout import read_layout

    try:
        layout = read_layout(spec)
    except InvalidSpec as error:
        from trainyard_trainer.outcome import Outcome
        from trainyard_trainer.results import make_result

        return make_result(Outcome(), error)
    if layout.size == 1:
        return None
    from trainyard_trainer.launch.launcher import launch

    return launch(layout, stop, workdir)


def _part(place: Place, spec: Path, workdir: Path, stop: StopRequest) -> int:
    """One of several processes; what it leaves is read by who started it."""
    from trainyard_trainer.launch.children import leave_with_parent
    from trainyard_trainer.launch.verdict import LOST

    leave_with_parent()
    result, peers_lost = _train(place, spec, workdir, stop)
    _write_result(result.to_message())
    return LOST if peers_lost else result.exit_code


def _train(place: Place, spec: Path, workdir: Path, stop: StopRequest) -> tuple[Result, bool]:
    """The result, and whether all that went wrong is that another process did."""
    from trainyard_trainer.fit.device import prepare_environment

    prepare_environment()
    from trainyard_trainer.errors import JobError
    from trainyard_trainer.observer import LogObserver, Mute
    from trainyard_trainer.outcome import Outcome
    from trainyard_trainer.resolve import read_spec, resolve
    from trainyard_trainer.results import make_result
    from trainyard_trainer.runner import run_job

    try:
        job = resolve(read_spec(spec))
    except JobError as error:
        return make_result(Outcome(), error), False
    observer = Mute() if place.rank else LogObserver(job.fit.metric)
    result, outcome = run_job(job, workdir, observer, stop, place=place)
    return result, outcome.peers_lost


def _write_result(message: str) -> None:
    """The operator reads this; a laptop may have no such file, and then the log has it."""
    path = Path(os.environ.get("TRAINYARD_RESULT", RESULT))
    try:
        path.write_text(message)
    except OSError as error:
        print(f"the result cannot be written to {path}: {error.strerror}\n{message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
