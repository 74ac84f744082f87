"""Kubernetes Events, written behind the reconcile: news for people must never hold up a decision."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from trainyard.api.names import API_VERSION, MANAGER_OPERATOR
from trainyard.controller.children import Subject, kind_of
from trainyard.controller.kube import EVENTS, Kube, KubeError
from trainyard.controller.metrics import Metrics
from trainyard.core.conditions import clip, format_time
from trainyard.core.plan import Note

log = logging.getLogger(__name__)

BACKLOG = 2000
DELAY = 1.0
"""Seconds that an Event is held back, so that in a burst the API server makes Jobs first."""


class Recorder:
    """Posts Events one by one; when the API server is slower than news come, the newest are dropped."""

    def __init__(self, kube: Kube, metrics: Metrics, instance: str) -> None:
        self._kube = kube
        self._metrics = metrics
        self._instance = instance
        self._queue: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue(BACKLOG)

    def record(self, about: Subject, note: Note) -> None:
        """Take a note about an object."""
        due = asyncio.get_running_loop().time() + DELAY
        try:
            self._queue.put_nowait((due, event_body(about, note, self._instance, datetime.now(UTC))))
        except asyncio.QueueFull:
            self._metrics.events_dropped.inc()

    async def run(self) -> None:
        """Post until cancelled."""
        while True:
            due, body = await self._queue.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            try:
                await self._kube.create(EVENTS, body["metadata"]["namespace"], body)
            except KubeError as error:
                self._metrics.events_dropped.inc()
                log.warning("an Event could not be recorded: %s", error)


def event_body(about: Subject, note: Note, instance: str, now: datetime) -> dict[str, Any]:
    """Render an Event about an object."""
    when = format_time(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{about.name}.", "namespace": about.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": kind_of(about).kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
        "reason": note.reason,
        "message": clip(note.message),
        "type": "Warning" if note.warning else "Normal",
        "source": {"component": MANAGER_OPERATOR},
        "reportingComponent": MANAGER_OPERATOR,
        "reportingInstance": instance,
        "firstTimestamp": when,
        "lastTimestamp": when,
        "count": 1,
    }
