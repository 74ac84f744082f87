"""What the coordinator counts. Labels are kinds of things, never names of things."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The coordinator's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reports = Counter(
            "trainyard_coordinator_reports", "Reports accepted, by kind.", ["kind"], registry=self.registry
        )
        self.rejected = Counter(
            "trainyard_coordinator_rejected",
            "Requests refused, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.writes = Counter(
            "trainyard_coordinator_status_writes",
            "Status writes by what became of them: ok, terminal, gone, stale, error.",
            ["outcome"],
            registry=self.registry,
        )
        self.pending = Gauge(
            "trainyard_coordinator_pending",
            "Objects with a value that waits to be written.",
            registry=self.registry,
        )
        self.watch_restarts = Counter(
            "trainyard_coordinator_watch_restarts",
            "Watch streams begun anew.",
            ["resource"],
            registry=self.registry,
        )
        self.verify_seconds = Histogram(
            "trainyard_coordinator_token_verify_seconds",
            "Seconds to verify a token not seen before.",
            buckets=(0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.005, 0.02, 0.1),
            registry=self.registry,
        )
