"""What stands between the loop and the world: epochs and checkpoints go where they are wanted."""

from __future__ import annotations

import time
from collections.abc import Mapping

from trainyard_trainer.callbacks import Callbacks
from trainyard_trainer.errors import JobError, Stopped
from trainyard_trainer.fit.checkpoint import CheckpointStore, State
from trainyard_trainer.fit.loop import Epoch
from trainyard_trainer.observer import Observer
from trainyard_trainer.stop import StopRequest
from trainyard_trainer.tracking.progress import ProgressReporter
from trainyard_trainer.tracking.tracker import Tracker


class Session:
    """The loop's hooks, and the epochs of a cross-validation counted with them.

    Progress counts the epochs of all folds and of the final model; the run's metrics are the final model's
    alone, by its own epochs. `history` has those of this attempt, `seconds` how long they took.
    """

    def __init__(
        self,
        epochs: int,
        folds: int,
        store: CheckpointStore,
        tracker: Tracker,
        reporter: ProgressReporter | None,
        observer: Observer,
        stop: StopRequest,
        callbacks: Callbacks | None = None,
    ) -> None:
        self.epochs, self.folds, self.store, self.tracker = epochs, folds, store, tracker
        self.callbacks = callbacks or Callbacks()
        self.reporter, self.observer, self.stop = reporter, observer, stop
        self.done = 0
        self.history: dict[int, Mapping[str, float]] = {}
        self.seconds = 0.0
        self._began, self._first = time.monotonic(), 0

    def begin_folds(self, done: int) -> None:
        """Cross-validation starts, after so many folds of an earlier attempt."""
        self._start(done * self.epochs)

    def fold_epoch_done(self, fold: int, epoch: Epoch) -> None:
        """An epoch of a fold (the first is 0)."""
        done = fold * self.epochs + epoch.number
        self._report(done, self._eta(done), {})

    def fold_done(self, store: CheckpointStore, folds: list[State], metrics: Mapping[str, float]) -> None:
        """Keep the finished folds, of which the last has these metrics."""
        self.tracker.keep(store.save({"folds": folds}, len(folds)))
        self.observer.fold(len(folds), self.folds, metrics)

    def begin(self, done: int) -> None:
        """Training of the final model starts, after so many epochs of an earlier attempt."""
        self.done = done
        self.observer.begin(self.epochs, done)
        self.callbacks.begin(self.epochs, done)
        self._start(self.folds * self.epochs + done)

    def stopping(self) -> bool:
        """Asked to stop, superseded, or without a place to record to."""
        return (
            self.stop.is_set()
            or self.tracker.failure is not None
            or (self.reporter is not None and self.reporter.stop_reason is not None)
        )

    def check(self) -> None:
        """Between two pieces of work after which everything is saved.

        Raises:
            JobError: It is to stop.
        """
        if self.stopping():
            raise self.reason(Stopped("stopped after training, state saved", "start it again"))

    def reason(self, stopped: Stopped) -> JobError:
        """Why the loop was told to stop."""
        if self.tracker.failure is not None:
            return self.tracker.failure
        if self.reporter is not None and self.reporter.stop_reason is not None:
            return Stopped(f"{stopped.message}: {self.reporter.stop_reason}", stopped.remedy)
        return stopped

    def epoch_done(self, epoch: Epoch) -> bool:
        """Log, report, show; whether a callback has had enough."""
        self.done = epoch.number
        self.history[epoch.number] = epoch.metrics
        self.seconds += epoch.seconds
        done = self.folds * self.epochs + epoch.number
        eta = self._eta(done)
        self.tracker.log(epoch.number, epoch.metrics)
        self._report(done, eta, epoch.metrics)
        self.observer.epoch(epoch, self.epochs, eta)
        return self.callbacks.epoch(epoch.number, epoch.metrics)

    def save(self, state: State, epoch: int) -> None:
        """Save here, and have it copied to the run."""
        self.tracker.keep(self.store.save(state, epoch))

    def say(self, text: str) -> None:
        """Show it."""
        self.observer.stage(text)

    def _start(self, done: int) -> None:
        self._began, self._first = time.monotonic(), done
        self._report(done, None, {})

    @property
    def _total(self) -> int:
        return (self.folds + 1) * self.epochs

    def _eta(self, done: int) -> float:
        """Seconds left at the pace since the start; an early stop is not foreseen."""
        return (time.monotonic() - self._began) / max(1, done - self._first) * (self._total - done)

    def _report(self, done: int, eta: float | None, metrics: Mapping[str, float]) -> None:
        if self.reporter is None:
            return
        run = self.tracker.run
        where = {} if run is None else {"experimentID": run.experiment_id, "runID": run.run_id}
        self.reporter.report(done, self._total, eta, metrics, where)


class Follower:
    """The session of a process that is not the first of its group: it hears, and says nothing."""

    def __init__(self, folds: int, stop: StopRequest) -> None:
        self.folds, self.stop, self.done = folds, stop, 0

    def begin_folds(self, done: int) -> None:
        """Nothing."""

    def fold_epoch_done(self, fold: int, epoch: Epoch) -> None:
        """Nothing."""

    def fold_done(self, store: CheckpointStore, folds: list[State], metrics: Mapping[str, float]) -> None:
        """Nothing."""

    def begin(self, done: int) -> None:
        """Remember."""
        self.done = done

    def stopping(self) -> bool:
        """Whether this process was asked to stop; all will."""
        return self.stop.is_set()

    def reason(self, stopped: Stopped) -> JobError:
        """What the first process knows better."""
        return stopped

    def epoch_done(self, epoch: Epoch) -> bool:
        """Remember."""
        self.done = epoch.number
        return False

    def save(self, state: State, epoch: int) -> None:
        """The first process does."""

    def say(self, text: str) -> None:
        """Nothing."""
