"""The trainer pod's process 1: it owns the signals, the result and the exit code.

Signals are caught before anything heavy is imported, because a process 1 without handlers ignores SIGTERM
and would be killed 60 seconds later with nothing saved.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from trainyard_trainer.stop import StopRequest

SPEC, WORKDIR, RESULT = "/etc/trainyard/spec.json", "/var/lib/trainyard", "/dev/termination-log"


def main() -> int:
    """Read spec.json, train, write the result; the contract's exit code comes back."""
    stop = StopRequest()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)  # asked twice: whoever asks does not want to wait
        print(f"{signal.Signals(number).name}: saving and stopping", flush=True)
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    message, code = _run(stop)
    _write_result(message)
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _run(stop: StopRequest) -> tuple[str, int]:
    from trainyard_trainer.fit.device import prepare_environment

    prepare_environment()
    from trainyard_trainer.errors import JobError
    from trainyard_trainer.observer import LogObserver
    from trainyard_trainer.outcome import Outcome
    from trainyard_trainer.resolve import read_spec, resolve
    from trainyard_trainer.results import make_result
    from trainyard_trainer.runner import run_job

    workdir = Path(os.environ.get("TRAINYARD_WORKDIR", WORKDIR))
    try:
        job = resolve(read_spec(Path(os.environ.get("TRAINYARD_SPEC", SPEC))))
    except JobError as error:
        result = make_result(Outcome(), error)
    else:
        result, _ = run_job(job, workdir, LogObserver(job.fit.metric), stop)
    if result.exit_code:
        print(f"{result.cause or 'failed'}: {result.message}", file=sys.stderr)
        if result.remedy:
            print(f"what to do: {result.remedy}", file=sys.stderr)
    return result.to_message(), result.exit_code


def _write_result(message: str) -> None:
    """The operator reads this; a laptop may have no such file, and then the log has it."""
    path = Path(os.environ.get("TRAINYARD_RESULT", RESULT))
    try:
        path.write_text(message)
    except OSError as error:
        print(f"the result cannot be written to {path}: {error.strerror}\n{message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
