"""What the pods of a ModelServer say: why a version does not get ready, and how a verification ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trainyard.api.names import LABEL_COMPONENT, LABEL_VERSION
from trainyard.core.conditions import clip, sentences
from trainyard.core.reading import mapping, mappings, text
from trainyard.render.labels import SERVER, VERIFY

Pod = Mapping[str, Any]
_ON_ITS_WAY = frozenset({"", "ContainerCreating", "PodInitializing"})
_BACK_OFF = "CrashLoopBackOff"
_LIMIT = 500


def trouble(pods: Iterable[Pod], version: int) -> str:
    """Why a pod of a version is not ready, in one sentence; nothing when none complains."""
    for pod in pods:
        labels = mapping(mapping(pod.get("metadata")).get("labels"))
        if labels.get(LABEL_COMPONENT) != SERVER or labels.get(LABEL_VERSION) != str(version):
            continue
        if mapping(pod.get("metadata")).get("deletionTimestamp"):
            continue
        if said := _complaint(mapping(pod.get("status"))):
            return clip(sentences(said), _LIMIT)
    return ""


def last_words(pods: Iterable[Pod]) -> dict[str, str]:
    """What the pod of each verify Job said at its end, by the Job's uid."""
    found: dict[str, str] = {}
    for pod in pods:
        meta, status = mapping(pod.get("metadata")), mapping(pod.get("status"))
        if mapping(meta.get("labels")).get(LABEL_COMPONENT) != VERIFY:
            continue
        job = next((text(o.get("uid")) for o in mappings(meta.get("ownerReferences"))), "")
        if said := next((word for c in _containers(status) if (word := _ended(c))), ""):
            found[job] = said
    return found


def _complaint(status: Mapping[str, Any]) -> str:
    for container in _containers(status):
        waiting = mapping(mapping(container.get("state")).get("waiting"))
        reason = text(waiting.get("reason"))
        if said := _ended(container):
            return f"{text(container.get('name'))}: {said}"
        if reason not in _ON_ITS_WAY and reason != _BACK_OFF:
            return f"{reason}: {text(waiting.get('message'))}"
    for condition in mappings(status.get("conditions")):
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return f"Unschedulable: {text(condition.get('message'))}"
    return ""


def _containers(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*mappings(status.get("initContainerStatuses")), *mappings(status.get("containerStatuses"))]


def _ended(container: Mapping[str, Any]) -> str:
    """The last word of a container that ended, now or before it was started again; a good fetch says none."""
    for state in ("state", "lastState"):
        ended = mapping(mapping(container.get(state)).get("terminated"))
        code = ended.get("exitCode")
        if ended and (code != 0 or container.get("name") == "verify"):
            return text(ended.get("message")).strip() or f"{text(ended.get('reason'))} (exit code {code})"
    return ""
