"""`trainyard get [NAME]`: TrainingJobs with state, reason, progress and the metric that chooses the epoch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from trainyard.cli.columns import aligned
from trainyard.cli.remote import Cluster, command
from trainyard.controller.kube import TRAINING_JOBS
from trainyard.core.conditions import parse_time
from trainyard.core.reading import mapping, text

_WATCH_SECONDS = 2.0
_HEADINGS = ["NAME", "STATE", "REASON", "PROGRESS", "METRIC", "ETA", "RESTARTS", "AGE"]


def get(name: str | None, namespace: str | None, everywhere: bool, watch: bool) -> int:
    """Show one job or all; with `watch` again and again, until all that are shown are over."""

    async def work(cluster: Cluster) -> int:
        while True:
            jobs = [await cluster.job(name)] if name else await _all(cluster, everywhere)
            print(table(jobs, everywhere) if jobs else f"no TrainingJobs in {cluster.namespace}")
            if not watch or all(_state(job) in {"Succeeded", "Failed"} for job in jobs):
                return 0
            await asyncio.sleep(_WATCH_SECONDS)

    return command(namespace, work)


async def _all(cluster: Cluster, everywhere: bool) -> list[dict[str, Any]]:
    found = cluster.kube.list(TRAINING_JOBS, "" if everywhere else cluster.namespace)
    return [body async for body in found]


def table(jobs: list[dict[str, Any]], everywhere: bool) -> str:
    """One line a job."""
    rows = [["NAMESPACE", *_HEADINGS] if everywhere else _HEADINGS]
    for job in jobs:
        meta, status = mapping(job.get("metadata")), mapping(job.get("status"))
        progress = mapping(status.get("progress"))
        cells = [
            text(meta.get("name")),
            _state(job),
            text(status.get("reason")),
            *(text(progress.get(field)) for field in ("summary", "metric", "eta")),
            str(status.get("restarts", 0)),
            age(meta.get("creationTimestamp")),
        ]
        rows.append([text(meta.get("namespace")), *cells] if everywhere else cells)
    return aligned(rows)


def _state(job: Mapping[str, Any]) -> str:
    return text(mapping(job.get("status")).get("state")) or "Pending"


def age(since: object, now: datetime | None = None) -> str:
    """Time since, in its largest unit.

    >>> age("2026-11-21T12:00:00Z", datetime(2026, 11, 21, 13, 59, tzinfo=UTC))
    '1h'
    """
    start = parse_time(since)
    if start is None:
        return ""
    seconds = max(0, int(((now or datetime.now(UTC)) - start).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
