"""How processes that train together ended, as the one result of their pod or machine."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from trainyard.api.wire import Result
from trainyard_trainer.errors import Defect, JobError, OutOfMemory, Stopped
from trainyard_trainer.outcome import Outcome
from trainyard_trainer.results import make_result

LOST = 76
"""Exit code of a process that lost its peers, by which who started it knows that it is not to blame."""
_KILLED, _FAILED, _DIED, _STOPPED, _FOLLOWED, _STOPPED_BY_OTHERS, _ENDED, _FINE = range(8)


@dataclass(frozen=True, slots=True)
class End:
    """Of one process.

    Attributes:
        rank: Which one.
        code: Exit code, or the negative number of the signal that ended it.
        result: Its last word, if it left one.
        forced: Who started it ended it, which is no failure of its own.
    """

    rank: int
    code: int
    result: Result | None
    forced: bool = False

    def blame(self, out_of_memory: bool, asked: bool) -> int:
        """How much it tells of what went wrong: the lower, the more."""
        if not self.code:
            return _FINE
        if self.forced:
            return _ENDED
        if self.code == LOST:
            return _FOLLOWED
        if self.code == -signal.SIGKILL and out_of_memory:
            return _KILLED
        if self.result is None:
            return _DIED
        if self.code == Stopped.exit_code:
            return _STOPPED if asked else _STOPPED_BY_OTHERS
        return _FAILED

    def death(self, out_of_memory: bool) -> JobError:
        """Of a process that left no word."""
        if self.code == -signal.SIGKILL and out_of_memory:
            return OutOfMemory(
                f"process {self.rank} was killed: more memory was used than the limit",
                "raise compute.resources.limits.memory, or lower compute.processesPerNode",
            )
        by_signal = self.code < 0
        how = f"killed by {signal.Signals(-self.code).name}" if by_signal else f"ended with code {self.code}"
        return Defect(f"process {self.rank} left no word: {how}", "look at the log")


def verdict(ends: Sequence[End], *, out_of_memory: bool, asked: bool) -> Result:
    """The result of all: the first process's, with the end of the one to blame.

    Args:
        ends: In the order of ranks, the first of this pod first.
        out_of_memory: The kernel has killed a process of ours for memory.
        asked: They were asked to stop.
    """
    first = ends[0].result or Result()
    to_blame = min(ends, key=lambda end: end.blame(out_of_memory, asked))
    weight = to_blame.blame(out_of_memory, asked)
    if weight == _FINE:
        return first
    if weight == _ENDED or (weight == _FOLLOWED and asked):
        error: JobError = Stopped("stopped; what came after the last checkpoint is lost", "start it again")
        return _ended(first, make_result(Outcome(), error))
    said = to_blame.result
    if said is None or not said.exit_code:
        return _ended(first, make_result(Outcome(), to_blame.death(out_of_memory)))
    if to_blame is ends[0]:
        return said
    return _ended(first, said, f"process {to_blame.rank}: ")


def _ended(first: Result, end: Result, who: str = "") -> Result:
    """What the first process knows of the run, with another's end."""
    update = {
        "exit_code": end.exit_code,
        "cause": end.cause,
        "message": who + (end.message or "failed"),
        "remedy": end.remedy,
    }
    return first.model_copy(update=update)
