"""What a server counts, in a registry of its own, read on the second port; no label holds data."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The server's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "trainyard_serving_request_seconds",
            "Seconds from a request's headers to the end of its answer.",
            ["route", "code"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.rows = Counter("trainyard_serving_rows", "Rows answered.", ["route"], registry=self.registry)
        self.in_flight = Gauge("trainyard_serving_in_flight", "Requests at work.", registry=self.registry)
        self.refused = Counter(
            "trainyard_serving_validation_errors",
            "Requests refused, by reason; one request may have several.",
            ["reason"],
            registry=self.registry,
        )
        self.model = Gauge(
            "trainyard_serving_model_info",
            "1 for the model that is ready.",
            ["model", "version", "sha256", "family"],
            registry=self.registry,
        )


def metrics_app(metrics: Metrics) -> Starlette:
    """The application of the second port."""

    async def scrape(_: Request) -> Response:
        return Response(generate_latest(metrics.registry), headers={"content-type": CONTENT_TYPE_LATEST})

    return Starlette(routes=[Route("/metrics", scrape)])
