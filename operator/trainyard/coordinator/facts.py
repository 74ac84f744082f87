"""What is kept of the API server's objects, and how pod, Job and custom resource are tied together. Pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.api import names
from trainyard.api.states import State

MANAGED = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"
TERMINAL = frozenset(state.value for state in State if state.terminal)


@dataclass(frozen=True, slots=True)
class Ref:
    """A controller's ownerReference."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Child:
    """A pod or a Job: whose it is, and of which attempt; `image` is what the pod runs, by digest."""

    namespace: str
    name: str
    uid: str
    owner: Ref | None
    attempt: int
    image: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A custom resource as far as the coordinator needs it."""

    namespace: str
    name: str
    uid: str
    version: str
    terminal: bool
    attempt: int
    metric: str
    """The metric that chooses the epoch, for the column; none where it is not said."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The custom resource and attempt that a pod may speak for; `image` is what the pod runs, by digest."""

    kind: str
    namespace: str
    name: str
    uid: str
    attempt: int
    image: str = ""


def child(body: Mapping[str, Any]) -> Child:
    """Read a pod or Job of ours."""
    meta = body["metadata"]
    labels = meta.get("labels") or {}
    attempt = str(labels.get(names.LABEL_ATTEMPT, ""))
    return Child(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        owner=controller(meta),
        attempt=int(attempt) if attempt.isascii() and attempt.isdigit() else 0,
        image=_image(body),
    )


def _image(body: Mapping[str, Any]) -> str:
    """A pod has one container of ours; thousands of pods run few images, and share their names."""
    containers = (body.get("status") or {}).get("containerStatuses") or []
    return sys.intern(str(containers[0].get("imageID") or "")) if containers else ""


def target(body: Mapping[str, Any]) -> Target:
    """Read a custom resource of ours."""
    meta, status = body["metadata"], body.get("status") or {}
    return Target(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        version=meta["resourceVersion"],
        terminal=status.get("state") in TERMINAL,
        attempt=int(status.get("attempt") or 0),
        metric=_watched_metric(body.get("spec") or {}),
    )


def _watched_metric(spec: Mapping[str, Any]) -> str:
    training = spec.get("training") or {}
    stopping = training.get("earlyStopping") or {}
    return str(training.get("metric") or stopping.get("metric") or "")


def managed(body: Mapping[str, Any]) -> bool:
    """Whether an object carries the label that our watches select by."""
    labels: Mapping[str, str] = body["metadata"].get("labels") or {}
    return labels.get(names.LABEL_MANAGED_BY) == names.MANAGED_BY


def controller(meta: Mapping[str, Any]) -> Ref | None:
    """The one ownerReference marked as controller, when it is a Job or a kind of ours."""
    for ref in meta.get("ownerReferences") or []:
        if ref.get("controller") and ref.get("apiVersion") in {"batch/v1", names.API_VERSION}:
            return Ref(ref["kind"], ref["name"], ref["uid"])
    return None
