"""A server's life: listen, load, answer, and on SIGTERM become unready, finish what is open, and end.

Health answers while the model loads. While it drains the server goes on answering, because a request may be
on its way to a pod that was just taken out of the Service; it ends when it has been quiet for a moment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable

from starlette.types import ASGIApp

from trainyard_trainer.serving.app import create_app
from trainyard_trainer.serving.listen import CLOSE_SECONDS, listen, make_server
from trainyard_trainer.serving.metrics import metrics_app
from trainyard_trainer.serving.model import Model, ModelRefused, load
from trainyard_trainer.serving.service import Phase, Service
from trainyard_trainer.serving.settings import Settings

log = logging.getLogger(__name__)
_QUIET_SECONDS = 1.0


class Process:
    """Two ports, one model."""

    def __init__(self, settings: Settings, announce: Callable[[Model], None] | None = None) -> None:
        """With somebody to announce the model to, a refused model ends the process; else it lives unready."""
        self.settings, self.announce = settings, announce
        self.service = Service(settings)
        self.stop = asyncio.Event()
        self.failed = False

    async def run(self) -> bool:
        """Serve until told to stop; whether it ended well comes back.

        Raises:
            InvalidSpec: A port cannot be had.
        """
        settings, service = self.settings, self.service
        apps: list[tuple[ASGIApp, int]] = [(create_app(service), settings.port)]
        if settings.metrics_port is not None:
            apps.append((metrics_app(service.metrics), settings.metrics_port))
        sockets = [listen(settings.host, port) for _, port in apps]
        servers = [make_server(app) for app, _ in apps]
        self._catch_signals()
        tasks = [
            asyncio.create_task(one.serve(sockets=[bound]))
            for one, bound in zip(servers, sockets, strict=True)
        ]
        log.info("listening on %s; loading %s", [s.getsockname()[1] for s in sockets], settings.model_dir)
        loading = asyncio.create_task(self._load())
        await asyncio.wait(
            [asyncio.create_task(self.stop.wait()), *tasks], return_when=asyncio.FIRST_COMPLETED
        )
        self.failed |= not self.stop.is_set()  # a server ended, and nobody had asked for that
        await self._drain()
        for one, task in zip(servers, tasks, strict=True):
            one.should_exit = True
            await asyncio.wait([task], timeout=CLOSE_SECONDS + 1)
        loading.cancel()
        service.pool.shutdown(wait=False, cancel_futures=True)
        log.info("stopped")
        return not self.failed

    async def _load(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            model = await loop.run_in_executor(self.service.pool, load, self.settings)
        except Exception as error:
            why = str(error) if isinstance(error, ModelRefused) else f"{type(error).__name__}: {error}"
            log.error(
                "NOT READY: %s version %s is refused: %s. What to do: promote another version, "
                "or train and log this one anew",
                self.settings.name,
                self.settings.version,
                why,
            )
            self.service.refuse(why)
            if self.announce is not None:
                self.failed = True
                self.stop.set()
            return
        self.service.ready(model)
        log.info(
            "ready: %s version %s (sha256 %s) reproduces its %d recorded rows within %.2g; loaded in %.1f s",
            *(model.name, model.version, model.sha256, model.recorded.rows),
            *(model.largest_difference, model.seconds),
        )
        if self.announce is not None:
            self.announce(model)

    async def _drain(self) -> None:
        """Unready, then wait until nobody has asked for a moment, or the time is up."""
        service, began = self.service, time.monotonic()
        service.phase = Phase.DRAINING
        log.info("stopping: not ready any more, %d requests open", service.open_requests)
        deadline = began + self.settings.drain_seconds
        quiet = min(_QUIET_SECONDS, self.settings.drain_seconds / 10)
        while (now := time.monotonic()) < deadline:
            if service.open_requests == 0 and now - max(service.last_request, began) >= quiet:
                break
            await asyncio.sleep(0.02)
        service.phase = Phase.CLOSING

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def ask(number: int) -> None:
            if self.stop.is_set():
                os._exit(128 + number)  # asked twice: whoever asks does not want to wait
            self.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ask, number)
