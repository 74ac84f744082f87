"""`trainyard describe NAME`: all that is known about a TrainingJob, the reason and what to do first."""

from __future__ import annotations

import re
from typing import Any

from rich.console import Console
from rich.markup import escape

from trainyard.cli.columns import aligned
from trainyard.cli.get import age
from trainyard.cli.remote import Cluster, command
from trainyard.controller.kube import EVENTS
from trainyard.core.observed import Pod
from trainyard.core.reading import mapping, mappings, text

_EVENTS = 10
_ELSE = re.compile("_(baseline|majority|mean)_")
"""Metrics of what is compared with; `trainyard compare` shows them."""


def describe(name: str, namespace: str | None) -> int:
    """Show a job, its last failure, its pods and what was told of it lately."""

    async def work(cluster: Cluster) -> int:
        job = await cluster.job(name)
        uid = text(mapping(job.get("metadata")).get("uid"))
        found = cluster.kube.list(EVENTS, cluster.namespace, fieldSelector=f"involvedObject.uid={uid}")
        events = [body async for body in found]
        _show(Console(), job, await cluster.pods(name), events)
        return 0

    return command(namespace, work)


def _show(console: Console, job: dict[str, Any], pods: list[Pod], events: list[dict[str, Any]]) -> None:
    meta, status = mapping(job.get("metadata")), mapping(job.get("status"))
    state = text(status.get("state")) or "Pending"
    _line(
        console,
        "job",
        f"{meta.get('namespace')}/{meta.get('name')}, {age(meta.get('creationTimestamp'))} old",
    )
    _line(console, "state", f"{state}: {text(status.get('reason')) or 'the operator has not seen it yet'}")
    _line(console, "", text(status.get("message")))
    _line(console, "attempt", f"{status.get('attempt', 0)}, {status.get('restarts', 0)} restarts")
    progress = mapping(status.get("progress"))
    parts = [text(progress.get(key)) for key in ("summary", "metric", "eta")]
    _line(console, "progress", ", ".join(part for part in parts if part))
    failure = mapping(status.get("lastFailure"))
    if failure:
        where = " ".join(text(failure.get(key)) for key in ("pod", "node")).strip()
        code = f", exit code {failure['exitCode']}" if "exitCode" in failure else ""
        _line(
            console,
            "last failure",
            f"attempt {failure.get('attempt')}: {failure.get('cause')} ({where}{code})",
        )
        _line(console, "", text(failure.get("message")))
        _line(console, "what to do", text(failure.get("remedy")))
        _line(console, "last words", text(failure.get("logTail")))
    mlflow = mapping(status.get("mlflow"))
    _line(console, "run", text(mlflow.get("runID")) or text(progress.get("runID")))
    _line(console, "model", text(mlflow.get("modelURI")))
    values = {k: v for k, v in mapping(status.get("metrics")).items() if not _ELSE.search(k)}
    _line(console, "metrics", ", ".join(f"{key}={value:.4g}" for key, value in sorted(values.items())))
    promotion = mapping(status.get("promotion"))
    _line(console, "promotion", " ".join(text(promotion.get(key)) for key in ("state", "message")).strip())
    if pods:
        print(_pods(pods))
    for event in mappings(events)[-_EVENTS:]:
        console.print(
            f"[dim]{text(event.get('reason'))}[/]  {escape(text(event.get('message')))}", highlight=False
        )


def _line(console: Console, label: str, value: str) -> None:
    """A labelled line; nothing for nothing."""
    if value:
        console.print(f"[bold]{label:>12}[/]  {escape(value.strip())}", highlight=False, soft_wrap=True)


def _pods(pods: list[Pod]) -> str:
    rows = [("POD", "INDEX", "PHASE", "NODE", "EXIT")]
    for pod in pods:
        code = "" if pod.exit_code is None else f"{pod.exit_code} {pod.exit_reason}".strip()
        rows.append((pod.name, str(pod.index), pod.waiting or pod.phase, pod.node, code))
    return aligned(rows)
