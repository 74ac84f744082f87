"""A thread that keeps MLflow informed, so that no training step ever waits for a server.

Metrics are handed over at once and written a few seconds' worth at a time. When MLflow goes away they are
kept and tried again for a bounded time; a training that cannot be recorded at all is not worth continuing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from trainyard_trainer.errors import DependencyDown, JobError
from trainyard_trainer.fit.checkpoint import Saved
from trainyard_trainer.tracking.mlflow_run import (
    CHECKPOINTS,
    MlflowRun,
    Point,
    RunIdentity,
    now_ms,
    translated,
)

_FLUSH_SECONDS = 2.0
_CHECK_SECONDS = 15.0
OUTAGE_SECONDS = 300.0


class Tracker:
    """`start`, then `log` and `keep` at any time, then `close`. `failure` is set when it cannot go on."""

    def __init__(self, identity: RunIdentity, on_connected: Callable[[MlflowRun], None]) -> None:
        """`on_connected` runs once in the thread: parameters, tags, the data set."""
        self.identity = identity
        self.failure: JobError | None = None
        self.run: MlflowRun | None = None
        self._on_connected = on_connected
        self._points: list[Point] = []
        self._samples = 0
        self._saved: Saved | None = None
        self._lock, self._wake, self._ready = threading.Lock(), threading.Event(), threading.Event()
        self._closing = False
        self._down_since: float | None = None
        self._checked = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="tracker", daemon=True)

    def start(self) -> None:
        """Connect in the background."""
        self._thread.start()

    def connected(self) -> MlflowRun:
        """Wait for the run.

        Raises:
            JobError: It cannot be had.
        """
        self._ready.wait()
        if self.run is None:
            raise self.failure or DependencyDown("MLflow was not reached", "look at the log above")
        return self.run

    def log(self, step: int, metrics: Mapping[str, float], model_id: str | None = None) -> None:
        """Metrics of a step; never blocks. Steps that an earlier attempt logged are dropped."""
        with self._lock:
            self._points.append(Point(step, dict(metrics), now_ms(), model_id))

    def log_system(self, metrics: Mapping[str, float], milliseconds: int) -> None:
        """Metrics of the machine; never blocks. They count on by themselves, whatever the epoch."""
        with self._lock:
            self._points.append(Point(self._samples, dict(metrics), milliseconds, again=True))
            self._samples += 1

    def keep(self, saved: Saved) -> None:
        """Copy a checkpoint to the run; only the newest waits."""
        with self._lock:
            self._saved = saved
        self._wake.set()

    def close(self, seconds: float) -> None:
        """Write what is left.

        Raises:
            JobError: Something could not be written in the time given.
        """
        self._closing = True
        self._wake.set()
        self._thread.join(seconds)
        if self.failure is not None:
            raise self.failure
        if self._thread.is_alive():
            raise DependencyDown(
                f"MLflow at {self.identity.uri} did not take the last metrics in {seconds:.0f} s",
                "check that the server is up; the next attempt goes on from the checkpoint",
            )

    def _work(self) -> None:
        try:
            self._connect()
            while not (self._closing and self._empty()):
                self._wake.wait(_FLUSH_SECONDS)
                self._wake.clear()
                self._flush()
        except JobError as error:
            self.failure = error
        except Exception as error:
            self.failure = DependencyDown(
                f"tracking failed: {type(error).__name__}: {error}", "look at the log"
            )
        finally:
            self._ready.set()

    def _connect(self) -> None:
        """Find or create the run and describe it; again from the start where MLflow goes away meanwhile."""
        while not self._ready.is_set():
            try:
                run = MlflowRun(self.identity)
                with translated(self.identity.uri):
                    self._on_connected(run)
            except DependencyDown as error:
                self._wake.clear()
                self._give_up_late(error)
                continue
            self._down_since, self.run = None, run
            self._ready.set()

    def _empty(self) -> bool:
        with self._lock:
            return not self._points and self._saved is None

    def _flush(self) -> None:
        """Write everything waiting, or put it back."""
        assert self.run is not None  # noqa: S101 - connected before
        with self._lock:
            points, self._points = self._points, []
            saved, self._saved = self._saved, None
        try:
            with translated(self.identity.uri):
                self._check_attempt(saved)
                self.run.log_points(p for p in points if p.model_id or p.again or p.step > self.run.last_step)
                points = []
                if saved is not None:
                    self._upload(saved)
            self._down_since = None
        except DependencyDown as error:
            with self._lock:
                self._points = points + self._points
                if self._saved is None:
                    self._saved = saved
            self._give_up_late(error)

    def _check_attempt(self, saved: Saved | None) -> None:
        assert self.run is not None  # noqa: S101
        if saved is not None or time.monotonic() - self._checked > _CHECK_SECONDS:
            self.run.check_attempt()
            self._checked = time.monotonic()

    def _upload(self, saved: Saved) -> None:
        assert self.run is not None  # noqa: S101
        for path in (saved.slot, saved.latest):
            if path.exists():
                self.run.upload(path, CHECKPOINTS)

    def _give_up_late(self, error: DependencyDown) -> None:
        if self._down_since is None:
            self._down_since = time.monotonic()
        if time.monotonic() - self._down_since > OUTAGE_SECONDS:
            raise error
        self._wake.wait(_FLUSH_SECONDS)


def fetch_checkpoints(tracker: Tracker, folder: Path) -> bool:
    """What an earlier attempt of this run saved, if this machine has nothing of it."""
    run = tracker.connected()
    with translated(tracker.identity.uri):
        return run.resumed and run.download_checkpoints(folder)
