"""What the operator tells Prometheus. No metric carries an object's name: cardinality stays bounded."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """All metrics of one operator process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconcile = Histogram(
            "trainyard_reconcile_seconds",
            "Duration of one reconcile.",
            ["kind", "outcome"],
            buckets=_FAST,
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            "trainyard_queue_depth", "Keys that wait for a worker.", registry=self.registry
        )
        self.time_to_job = Histogram(
            "trainyard_time_to_job_seconds",
            "From the first sight of a TrainingJob to the creation of its first Job.",
            buckets=_FAST,
            registry=self.registry,
        )
        self.requests = Counter(
            "trainyard_api_requests_total",
            "Requests to the API server.",
            ["verb", "resource", "code"],
            registry=self.registry,
        )
        self.stream_restarts = Counter(
            "trainyard_stream_restarts_total",
            "Times that the watch streams had to be started anew.",
            registry=self.registry,
        )
        self.events_dropped = Counter(
            "trainyard_events_dropped_total",
            "Kubernetes Events that could not be recorded.",
            registry=self.registry,
        )
        self.registry_calls = Counter(
            "trainyard_registry_calls_total",
            "Questions to MLflow's registry and changes of it.",
            ["call", "outcome"],
            registry=self.registry,
        )
        self.leader = Gauge(
            "trainyard_leader", "Whether this operator holds the lease and writes.", registry=self.registry
        )
        self.jobs = JobStates()
        self.registry.register(self.jobs)
        ProcessCollector(registry=self.registry)

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)


class JobStates(Collector):
    """TrainingJobs by state and cause, counted when scraped from the last state of each."""

    def __init__(self) -> None:
        self._states: dict[object, tuple[str, str]] = {}

    def seen(self, key: object, state: str, cause: str) -> None:
        """Remember the state of one job."""
        self._states[key] = (state, cause)

    def forget(self, key: object) -> None:
        """A job is gone."""
        self._states.pop(key, None)

    @override
    def collect(self) -> Iterable[Metric]:
        """Count."""
        family = GaugeMetricFamily(
            "trainyard_jobs", "TrainingJobs by state and cause.", labels=["state", "cause"]
        )
        for (state, cause), count in Tally(list(self._states.values())).items():
            family.add_metric([state, cause], count)
        yield family
