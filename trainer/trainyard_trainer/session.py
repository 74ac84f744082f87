"""What stands between the loop and the world: epochs and checkpoints go where they are wanted."""

from __future__ import annotations

import time
from collections.abc import Mapping

from trainyard_trainer.fit.checkpoint import CheckpointStore, State
from trainyard_trainer.fit.loop import Epoch
from trainyard_trainer.observer import Observer
from trainyard_trainer.stop import StopRequest
from trainyard_trainer.tracking.progress import ProgressReporter
from trainyard_trainer.tracking.tracker import Tracker


class Session:
    """The loop's hooks."""

    def __init__(
        self,
        epochs: int,
        store: CheckpointStore,
        tracker: Tracker,
        reporter: ProgressReporter | None,
        observer: Observer,
        stop: StopRequest,
    ) -> None:
        self.epochs, self.store, self.tracker = epochs, store, tracker
        self.reporter, self.observer, self.stop = reporter, observer, stop
        self.done = 0
        self._began, self._first = time.monotonic(), 0

    def begin(self, done: int) -> None:
        """Training starts, after so many epochs of an earlier attempt."""
        self.done = self._first = done
        self._began = time.monotonic()
        self.observer.begin(self.epochs, done)
        self._report(None, {})

    def stopping(self) -> bool:
        """Asked to stop, superseded, or without a place to record to."""
        return (
            self.stop.is_set()
            or self.tracker.failure is not None
            or (self.reporter is not None and self.reporter.stop_reason is not None)
        )

    def epoch_done(self, epoch: Epoch) -> None:
        """Log, report, show."""
        self.done = epoch.number
        pace = (time.monotonic() - self._began) / (epoch.number - self._first)
        eta = pace * (self.epochs - epoch.number)
        self.tracker.log(epoch.number, epoch.metrics)
        self._report(eta, epoch.metrics)
        self.observer.epoch(epoch, self.epochs, eta)

    def save(self, state: State, epoch: int) -> None:
        """Save here, and have it copied to the run."""
        self.tracker.keep(self.store.save(state, epoch))

    def say(self, text: str) -> None:
        """Show it."""
        self.observer.stage(text)

    def _report(self, eta: float | None, metrics: Mapping[str, float]) -> None:
        if self.reporter is None:
            return
        run = self.tracker.run
        where = {} if run is None else {"experimentID": run.experiment_id, "runID": run.run_id}
        self.reporter.report(self.done, self.epochs, eta, metrics, where)
