"""From API bodies to facts. Whatever a body holds or lacks, a fact comes out and nothing is raised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.api.names import LABEL_ATTEMPT, LABEL_INDEX, LABEL_USABLE, TRAINER_CONTAINER
from trainyard.core.conditions import parse_time
from trainyard.core.observed import AttemptJob, Event, Pod

_EMPTY: Mapping[str, Any] = {}


def mapping(value: object) -> Mapping[str, Any]:
    """The value when it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else _EMPTY


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The mappings in a list."""
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def text(value: object) -> str:
    """The value when it is text, else nothing."""
    return value if isinstance(value, str) else ""


def whole(value: object, default: int = 0) -> int:
    """The value when it is a whole number, else the default."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def count(value: object) -> int:
    """The value as a count that the API takes, with room for one more."""
    return max(0, min(whole(value), 2**31 - 2))


def holding(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The conditions that are true, by their type."""
    found = mappings(status.get("conditions"))
    return {text(c.get("type")): c for c in found if c.get("status") == "True"}


def attempt_job(body: Mapping[str, Any], *, owner_uid: str, labels: Mapping[str, str]) -> AttemptJob:
    """Read a Job; `owner_uid` and `labels` are what it should carry."""
    meta, status = mapping(body.get("metadata")), mapping(body.get("status"))
    found = mapping(meta.get("labels"))
    owners = tuple(text(o.get("uid")) for o in mappings(meta.get("ownerReferences")))
    conditions = holding(status)
    last = mapping(conditions.get("Failed") or conditions.get("FailureTarget") or conditions.get("Complete"))
    return AttemptJob(
        name=text(meta.get("name")),
        uid=text(meta.get("uid")),
        attempt=_number(found, LABEL_ATTEMPT),
        owners=owners,
        in_order=owner_uid in owners and all(found.get(k) == v for k, v in labels.items()),
        complete="Complete" in conditions,
        failed="Failed" in conditions,
        reason=text(last.get("reason")),
        message=text(last.get("message")),
        deleting=bool(meta.get("deletionTimestamp")),
        suspended=mapping(body.get("spec")).get("suspend") is True,
        created=parse_time(meta.get("creationTimestamp")),
        start=parse_time(status.get("startTime")),
        end=parse_time(status.get("completionTime")) or parse_time(last.get("lastTransitionTime")),
    )


def pod(body: Mapping[str, Any]) -> Pod:
    """Read a trainer pod."""
    meta, spec, status = (mapping(body.get(k)) for k in ("metadata", "spec", "status"))
    owner = next((o for o in mappings(meta.get("ownerReferences")) if o.get("kind") == "Job"), _EMPTY)
    container = _named(status.get("containerStatuses"), TRAINER_CONTAINER)
    state = mapping(container.get("state"))
    ended, running, waiting = (mapping(state.get(k)) for k in ("terminated", "running", "waiting"))
    exit_code = ended.get("exitCode")
    conditions = {text(c.get("type")): c for c in mappings(status.get("conditions"))}
    scheduled = mapping(conditions.get("PodScheduled"))
    lost = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
    disrupted = mapping(conditions.get("DisruptionTarget"))
    labels = mapping(meta.get("labels"))
    return Pod(
        name=text(meta.get("name")),
        uid=text(meta.get("uid")),
        job_uid=text(owner.get("uid")),
        attempt=_number(labels, LABEL_ATTEMPT),
        index=_number(labels, LABEL_INDEX),
        node=text(spec.get("nodeName")),
        image=text(_named(spec.get("containers"), TRAINER_CONTAINER).get("image")),
        phase=text(status.get("phase")),
        reason=text(status.get("reason")),
        message=text(status.get("message")),
        created=parse_time(meta.get("creationTimestamp")),
        started=parse_time(running.get("startedAt")) or parse_time(ended.get("startedAt")),
        running="running" in state,
        waiting=text(waiting.get("reason")),
        waiting_message=text(waiting.get("message")),
        unschedulable=text(scheduled.get("message")) or "no node fits" if lost else "",
        exit_code=exit_code if isinstance(exit_code, int) else None,
        exit_reason=text(ended.get("reason")),
        ended=parse_time(ended.get("finishedAt")),
        last_word=text(ended.get("message")),
        disrupted=text(disrupted.get("reason")) if disrupted.get("status") == "True" else "",
        deletion=parse_time(meta.get("deletionTimestamp")),
    )


def event(body: Mapping[str, Any]) -> Event:
    """Read an Event."""
    about = mapping(body.get("involvedObject"))
    return Event(text(about.get("kind")), text(body.get("reason")), text(body.get("message")))


def usable(body: Mapping[str, Any]) -> bool:
    """Whether a ServiceAccount's owner allows trainer pods to use it."""
    labels = mapping(mapping(body.get("metadata")).get("labels"))
    return labels.get(LABEL_USABLE) == "true"


def _number(labels: Mapping[str, Any], name: str) -> int:
    value = text(labels.get(name))
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0


def _named(value: object, name: str) -> Mapping[str, Any]:
    return next((c for c in mappings(value) if c.get("name") == name), _EMPTY)
