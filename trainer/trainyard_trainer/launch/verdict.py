"""How processes that train together ended, as the one result of their pod or machine."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from trainyard.api.wire import Result
from trainyard_trainer.errors import Defect, JobError, OutOfMemory, PeersLost, Stopped
from trainyard_trainer.launch.children import LOST, Child
from trainyard_trainer.outcome import Outcome
from trainyard_trainer.results import make_result

_LOST = PeersLost(
    "lost the other processes of this training",
    "the process or pod that failed first says why; the next attempt goes on from the checkpoint",
)


def verdict(children: Sequence[Child], *, out_of_memory: bool, asked: bool) -> Result:
    """The result of all, once they have ended: the first child's, unless another is to blame.

    Args:
        children: In the order of their ranks.
        out_of_memory: The kernel has killed a process of ours for memory.
        asked: They were asked to stop.
    """
    results = [_read(child.result) for child in children]
    blamed = min(
        (_blame(child, result, out_of_memory), i)
        for i, (child, result) in enumerate(zip(children, results, strict=True))
    )
    (weight, i), first = blamed, results[0] or Result()
    if weight == _FINE:
        return first
    if (weight == _FOLLOWED and asked) or weight == _ENDED:
        return _told(first, Stopped("stopped; what came after the last checkpoint is lost", "start it again"))
    if weight == _FOLLOWED:
        return _told(first, _LOST)
    result = results[i]
    if result is None or not result.exit_code:
        return _told(first, _death(children[i], out_of_memory))
    if i == 0:
        return result
    return first.model_copy(
        update={
            "exit_code": result.exit_code,
            "cause": result.cause,
            "message": f"process {children[i].place.rank}: {result.message or 'failed'}",
            "remedy": result.remedy,
        }
    )


_KILLED, _FAILED, _DIED, _STOPPED, _FOLLOWED, _ENDED, _FINE = range(7)


def _blame(child: Child, result: Result | None, out_of_memory: bool) -> int:
    """How much a child tells of what went wrong: the less, the later it is asked."""
    code = child.code
    if not code:
        return _FINE
    if child.killed:
        return _ENDED
    if code == LOST:
        return _FOLLOWED
    if code == -signal.SIGKILL and out_of_memory:
        return _KILLED
    if result is None:
        return _DIED
    return _STOPPED if code == Stopped.exit_code else _FAILED


def _death(child: Child, out_of_memory: bool) -> JobError:
    """Of a child that left no word."""
    rank, code = child.place.rank, child.code or 0
    if code == -signal.SIGKILL and out_of_memory:
        return OutOfMemory(
            f"process {rank} was killed: the pod used more memory than its limit",
            "raise compute.resources.limits.memory, or lower compute.processesPerNode",
        )
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return Defect(f"process {rank} {how} and left no word", "look at the log")


def _told(first: Result, error: JobError) -> Result:
    """What the first child knows of the run, with this end."""
    end = make_result(Outcome(), error)
    return first.model_copy(
        update={
            "exit_code": end.exit_code,
            "cause": end.cause,
            "message": end.message,
            "remedy": end.remedy,
        }
    )


def _read(path: Path) -> Result | None:
    try:
        return Result.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
