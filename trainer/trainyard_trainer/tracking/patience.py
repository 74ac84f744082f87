"""Work that needs MLflow, done again while MLflow is away, for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from trainyard_trainer.errors import DependencyDown
from trainyard_trainer.tracking import tracker
from trainyard_trainer.tracking.mlflow_run import translated

_PAUSE_SECONDS = 2.0
T = TypeVar("T")


class Asked(Protocol):
    """Whoever may be told to stop meanwhile."""

    tracker: tracker.Tracker

    def check(self) -> None:
        """Raise when it is to stop."""

    def say(self, text: str) -> None:
        """Tell people."""


def patiently(asked: Asked, work: Callable[[], T]) -> T:
    """The work's result.

    Raises:
        DependencyDown: MLflow did not come back in the time that an outage may last.
        JobError: It refuses, or was told to stop.
    """
    uri = asked.tracker.identity.uri
    deadline, said = time.monotonic() + tracker.OUTAGE_SECONDS, False
    while True:
        try:
            with translated(uri):
                return work()
        except DependencyDown as error:
            if time.monotonic() + _PAUSE_SECONDS > deadline:
                raise
            if not said:
                asked.say(f"{error.message}; trying again for {tracker.OUTAGE_SECONDS:.0f} s")
                said = True
        asked.check()
        time.sleep(_PAUSE_SECONDS)
