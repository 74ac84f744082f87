"""Labels and ownerReferences of children, and the selectors that find them."""

from __future__ import annotations

from typing import Any

from trainyard.api.names import (
    API_VERSION,
    LABEL_ATTEMPT,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    MANAGED_BY,
    MODELSERVER,
    TRAININGJOB,
    Kind,
)

SELECTOR = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
"""Everything that this operator creates."""
TRAINING_SELECTOR = f"{SELECTOR},{TRAININGJOB.label}"
"""Children of TrainingJobs."""
SERVING_SELECTOR = f"{SELECTOR},{MODELSERVER.label}"
"""Children of ModelServers."""
SERVER, VERIFY = "server", "verify"
"""What a child of a ModelServer is there for."""


def attempt_labels(job: str, attempt: int) -> dict[str, str]:
    """Labels of all children of an attempt, pods included."""
    return {LABEL_MANAGED_BY: MANAGED_BY, TRAININGJOB.label: job, LABEL_ATTEMPT: str(attempt)}


def selector(job: str) -> str:
    """Selector of all children of a TrainingJob."""
    return f"{SELECTOR},{TRAININGJOB.label}={job}"


def owner(name: str, uid: str, kind: Kind = TRAININGJOB) -> dict[str, Any]:
    """The reference that makes garbage collection remove a child with the object that owns it."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind.kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def metadata(namespace: str, job: str, uid: str, attempt: int, name: str) -> dict[str, Any]:
    """Metadata of a child of an attempt."""
    return {
        "name": name,
        "namespace": namespace,
        "labels": attempt_labels(job, attempt),
        "ownerReferences": [owner(job, uid)],
    }


def repair(job: str, uid: str, attempt: int, child_uid: str) -> dict[str, Any]:
    """A merge patch that restores labels and owner of the child that was seen."""
    return {
        "metadata": {
            "uid": child_uid,
            "labels": attempt_labels(job, attempt),
            "ownerReferences": [owner(job, uid)],
        }
    }


def serving_labels(server: str, component: str) -> dict[str, str]:
    """Labels of a ModelServer's children, pods included; those of a verify Job must not match the Service."""
    return {LABEL_MANAGED_BY: MANAGED_BY, MODELSERVER.label: server, LABEL_COMPONENT: component}


def serving_selector(server: str, component: str = "") -> str:
    """Selector of one sort of children of a ModelServer, or of all."""
    mine = f"{SELECTOR},{MODELSERVER.label}={server}"
    return f"{mine},{LABEL_COMPONENT}={component}" if component else mine
