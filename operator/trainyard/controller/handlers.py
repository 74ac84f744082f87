"""kopf's part: watches, and nothing but handing keys over. Decisions live in the queue's reconcile.

The handlers run in kopf's own thread and loop; `Sink` is the main loop's side of the border.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import kopf

from trainyard.api.names import GROUP, MODELSERVER, TRAININGJOB, VERSION

DELETED = "DELETED"
PLURALS = frozenset({TRAININGJOB.plural, MODELSERVER.plural, "deployments", "jobs", "pods"})
"""The resources watched below."""


class Sink(Protocol):
    """Where events go; called from kopf's thread."""

    def training_job(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        """A TrainingJob was seen."""

    def model_server(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        """A ModelServer was seen."""

    def deployment(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        """A Deployment of ours was seen."""

    def job(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        """A Job of ours was seen."""

    def pod(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        """A pod of ours was seen."""


Login = Callable[..., Awaitable[kopf.AiohttpSession | None]]


def build_registry(sink: Sink, login: Login) -> kopf.OperatorRegistry:
    """Register one handler a resource, with full selectors so that only these groups are discovered."""
    registry = kopf.OperatorRegistry()

    @kopf.on.event(GROUP, VERSION, TRAININGJOB.plural, registry=registry)
    async def on_training_job(event: Any, **_: Any) -> None:
        sink.training_job(event["object"], deleted=event["type"] == DELETED)

    @kopf.on.event(GROUP, VERSION, MODELSERVER.plural, registry=registry)
    async def on_model_server(event: Any, **_: Any) -> None:
        sink.model_server(event["object"], deleted=event["type"] == DELETED)

    @kopf.on.event("apps", "v1", "deployments", registry=registry)
    async def on_deployment(event: Any, **_: Any) -> None:
        sink.deployment(event["object"], deleted=event["type"] == DELETED)

    @kopf.on.event("batch", "v1", "jobs", registry=registry)
    async def on_job(event: Any, **_: Any) -> None:
        sink.job(event["object"], deleted=event["type"] == DELETED)

    @kopf.on.event("", "v1", "pods", registry=registry)
    async def on_pod(event: Any, **_: Any) -> None:
        sink.pod(event["object"], deleted=event["type"] == DELETED)

    kopf.on.login(registry=registry)(login)
    return registry
