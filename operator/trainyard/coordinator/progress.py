"""Progress: what trainers report becomes `status.progress`, with few writes and no last value lost.

The first report of an object and the last of a training are written at once, others once an interval. A
write is server-side apply of that one field, by a manager of its own. It names the version of the object as
last seen (the API server does not compare uids here), so it never lands on a namesake, nor on an object
that has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from trainyard.api import names
from trainyard.api.status import ProgressStatus
from trainyard.api.wire import Progress, ProgressReply
from trainyard.coordinator.coalesce import Coalescer
from trainyard.coordinator.columns import as_status
from trainyard.coordinator.facts import Owner, Target
from trainyard.coordinator.kube import Body, Kube, KubeError
from trainyard.coordinator.metrics import Metrics
from trainyard.coordinator.pods import Index

log = logging.getLogger(__name__)
WRITERS = 16
TRIES = 3
"""Times one write is tried when the object changes under it; the next value tries again anyway."""
BEGINNING = 3.0
"""Seconds for which the news that training begins waits for its first epoch."""
IDLE_SWEEP = 60.0
FLUSH_PAUSE = 0.3


class StaleAttemptError(Exception):
    """The reporting pod belongs to an attempt that was replaced."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A value that waits, and whose it is."""

    owner: Owner
    progress: ProgressStatus


class ProgressService:
    """Takes reports and writes them out."""

    def __init__(
        self, kube: Kube, index: Index, metrics: Metrics, *, write_interval: float, report_interval: float
    ) -> None:
        self._kube = kube
        self._index = index
        self._metrics = metrics
        self._report_interval = report_interval
        self._values: Coalescer[str, Pending] = Coalescer(write_interval, time.monotonic)
        self._ended: dict[str, int] = {}
        """Attempts whose last value was let out early, which happens once each."""
        self._news = asyncio.Event()
        self._wakes_at = 0.0
        self._slots = asyncio.Semaphore(WRITERS)
        self._writes: set[asyncio.Task[None]] = set()
        metrics.pending.set_function(lambda: len(self._values))

    async def report(self, owner: Owner, report: Progress) -> ProgressReply:
        """Take one report of the pod that works for this owner."""
        target = await self._index.target(owner)
        if report.attempt != owner.attempt or (target and target.attempt > owner.attempt):
            raise StaleAttemptError
        if target is None or target.terminal:
            return ProgressReply(stop=True, next_after_seconds=self._report_interval)
        progress = as_status(report, datetime.now(UTC), target.metric)
        ended = report.percent == 100 or (report.epochs is not None and (report.epoch or 0) >= report.epochs)
        first_end = ended and self._ended.get(owner.uid) != owner.attempt
        if first_end:
            self._ended[owner.uid] = owner.attempt
        # A pod reports epoch 0 when it begins: written alone it would hold up the first real epoch.
        patience = 0.0 if report.epoch or report.percent else BEGINNING
        self._values.put(owner.uid, Pending(owner, progress), now=first_end, patience=patience)
        self._metrics.reports.labels("progress").inc()
        if (self._values.next_due() or 0.0) < self._wakes_at:
            self._news.set()
        return ProgressReply(next_after_seconds=self._report_interval, image_id=owner.image or None)

    async def run(self) -> None:
        """Write what is due until cancelled."""
        swept = time.monotonic()
        while True:
            self._news.clear()
            self._start_due(everything=False)
            if time.monotonic() - swept > IDLE_SWEEP:
                self._values.forget_idle()
                swept = time.monotonic()
            due = self._values.next_due()
            self._wakes_at = min(time.monotonic() + IDLE_SWEEP, due or float("inf"))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), max(0.0, self._wakes_at - time.monotonic()))

    async def flush(self, seconds: float) -> int:
        """Write all that waits, for at most so long; return how many values are left unwritten."""
        deadline = time.monotonic() + seconds
        self._start_due(everything=True)
        while self._writes and (left := deadline - time.monotonic()) > 0:
            await asyncio.wait(self._writes, timeout=left)
            await asyncio.sleep(FLUSH_PAUSE if len(self._values) else 0)
            self._start_due(everything=True)
        for task in self._writes:
            task.cancel()
        return len(self._values) + len(self._writes)

    def _start_due(self, *, everything: bool) -> None:
        for uid, pending in self._values.take(everything=everything):
            task = asyncio.create_task(self._write(uid, pending))
            self._writes.add(task)
            task.add_done_callback(self._writes.discard)

    async def _write(self, uid: str, pending: Pending) -> None:
        async with self._slots:
            try:
                outcome = await self._try_write(pending)
            except KubeError as error:
                log.warning("progress of %s/%s: %s", pending.owner.namespace, pending.owner.name, error)
                outcome = "error"
            except Exception:
                log.exception("progress of %s/%s", pending.owner.namespace, pending.owner.name)
                outcome = "error"
        self._metrics.writes.labels(outcome).inc()
        if outcome == "ok":
            self._values.done(uid)
        elif outcome == "error":
            self._values.failed(uid, pending)
        else:
            self._values.drop(uid)
            self._ended.pop(uid, None)
        self._news.set()

    async def _try_write(self, pending: Pending) -> str:
        """Write once; when the object is not as last seen, look again and decide anew."""
        target = await self._index.target(pending.owner)
        for _ in range(TRIES):
            if (reason := refusal(target, pending.owner)) or target is None:
                return reason or "gone"
            try:
                await self._kube.apply(status_path(target), status_body(target, pending.progress))
            except KubeError as error:
                if error.status == 404:
                    return "gone"
                if error.status != 409:
                    raise
                target = await self._index.read_target(pending.owner)
            else:
                return "ok"
        raise KubeError(409, f"changed under each of {TRIES} tries")


def refusal(target: Target | None, owner: Owner) -> str:
    """Why nothing may be written for this owner, or nothing."""
    if target is None or target.uid != owner.uid:
        return "gone"
    if target.terminal:
        return "terminal"
    if target.attempt > owner.attempt:
        return "stale"
    return ""


def status_path(target: Target) -> str:
    """URL path of a TrainingJob's status."""
    plural = names.TRAININGJOB.plural
    return f"/apis/{names.API_VERSION}/namespaces/{target.namespace}/{plural}/{target.name}/status"


def status_body(target: Target, progress: ProgressStatus) -> Body:
    """The part of the object that is the coordinator's, with what it must still be."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.TRAININGJOB.kind,
        "metadata": {
            "name": target.name,
            "namespace": target.namespace,
            "uid": target.uid,
            "resourceVersion": target.version,
        },
        "status": {"progress": progress.to_kubernetes()},
    }
