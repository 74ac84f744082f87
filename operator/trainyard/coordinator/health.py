"""Health and metrics, on a port of their own without TLS: probes and scrapers need no CA."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from trainyard.coordinator.metrics import Metrics


def health_app(metrics: Metrics, not_ready: Callable[[], list[str]]) -> FastAPI:
    """The application; `not_ready` names what is still missing before reports can be taken."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/healthz")
    async def healthz() -> Response:
        return Response("ok\n", media_type="text/plain")

    @app.get("/readyz")
    async def readyz() -> Response:
        missing = not_ready()
        text = "ok\n" if not missing else "".join(f"waiting for {line}\n" for line in missing)
        return Response(text, 503 if missing else 200, media_type="text/plain")

    @app.get("/metrics")
    async def scrape() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app
