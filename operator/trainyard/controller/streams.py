"""kopf in a thread and event loop of its own, under a supervisor.

kopf ends, cancelling every task of its loop, on errors inside a watch stream, on a 410 as a response and on
cut JSON. Therefore it gets a loop that it may end, and is started again; the resync covers what was missed.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import kopf

from trainyard.controller.handlers import PLURALS, Sink, build_registry
from trainyard.controller.metrics import Metrics
from trainyard.controller.settings import Settings
from trainyard.controller.watches import SERVER_TIMEOUT, TracedSession, Watches
from trainyard.render.labels import SELECTOR, SERVING_SELECTOR, TRAINING_SELECTOR

log = logging.getLogger(__name__)

RESTART_FIRST, RESTART_MAX = 1.0, 30.0
HEALTHY_SECONDS = 60.0


class InfiniteBackoffs:
    """Delays between tries of one request: growing, jittered, endless, iterable any number of times."""

    def __iter__(self) -> Iterator[float]:
        delay = 0.5
        while True:
            yield delay * random.uniform(0.75, 1.25)
            delay = min(delay * 2, 30.0)


class Streams:
    """The watch streams."""

    def __init__(self, settings: Settings, sink: Sink, metrics: Metrics) -> None:
        self._settings = settings
        self._sink = sink
        self._metrics = metrics
        self._watches = Watches(
            len(PLURALS) * max(1, len(settings.namespaces)), settings.watch_silence_seconds
        )
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="kopf", daemon=True)

    @property
    def trouble(self) -> str:
        """Why events do not arrive; nothing when all watches are open."""
        return self._watches.trouble() if self._ready.is_set() else "the watches are not up yet"

    @property
    def alive(self) -> bool:
        """The supervisor runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ask kopf to end and wait for it a little; the thread is a daemon and dies with the process."""
        self._stop.set()
        self._thread.join(timeout)

    def _supervise(self) -> None:
        delay = RESTART_FIRST
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                asyncio.run(self._run())
            except Exception:
                log.exception("the watch streams broke")
            self._ready.clear()
            self._watches.forget()
            if self._stop.is_set():
                return
            self._metrics.stream_restarts.inc()
            delay = (
                RESTART_FIRST if time.monotonic() - started > HEALTHY_SECONDS else min(delay * 2, RESTART_MAX)
            )
            log.warning("the watch streams ended; started again in %.1f s", delay)
            self._stop.wait(delay)

    async def _run(self) -> None:
        await kopf.operator(
            registry=build_registry(self._sink, self._login),
            settings=_kopf_settings(self._settings.watch_silence_seconds),
            standalone=True,
            clusterwide=not self._settings.namespaces,
            namespaces=self._settings.namespaces,
            stop_flag=self._stop,
            ready_flag=self._ready,
        )

    async def _login(self, **kwargs: Any) -> kopf.AiohttpSession | None:
        info = kopf.login_with_kubeconfig(**kwargs) or kopf.login_with_service_account(**kwargs)
        return None if info is None else TracedSession.of(info, self._watches.trace())


def _kopf_settings(silence: float) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.networking.connect_timeout = 5
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = InfiniteBackoffs()
    settings.watching.connect_timeout = 5
    settings.watching.inactivity_timeout = silence
    settings.watching.server_timeout = SERVER_TIMEOUT
    settings.queueing.worker_limit = None
    settings.watching.label_selectors["batch", "v1", "jobs"] = SELECTOR
    settings.watching.label_selectors["apps", "v1", "deployments"] = SERVING_SELECTOR
    settings.watching.label_selectors["", "v1", "pods"] = TRAINING_SELECTOR
    return settings
