"""/healthz, /readyz and /metrics, on the main loop: a loop that hangs answers nothing and is restarted."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from trainyard.controller.metrics import Metrics

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class HealthServer:
    """A small HTTP server."""

    def __init__(
        self, port: int, metrics: Metrics, *, alive: Callable[[], bool], unready: Callable[[], str]
    ) -> None:
        self._port = port
        self._metrics = metrics
        self._alive = alive
        self._unready = unready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._readiness)
        app.router.add_get("/metrics", self._scrape)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._port, shutdown_timeout=1.0).start()

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return _answer("" if self._alive() else "the watch supervisor is not running")

    async def _readiness(self, _: web.Request) -> web.Response:
        return _answer(self._unready())

    async def _scrape(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": PROMETHEUS})


def _answer(trouble: str) -> web.Response:
    return web.Response(status=503 if trouble else 200, text=f"{trouble or 'ok'}\n")
