"""A decision as data: what to write, what to create or delete, in which order, and when to look again.

Actions name what is meant, not how it looks as YAML: the layer above renders bodies, so that a Plan can
be compared whole in a test and printed for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Need(StrEnum):
    """What a decision has to see first; the caller looks and asks again."""

    PODS = "pods"
    EVENTS = "events"
    ACCOUNT = "account"


class Child(StrEnum):
    """Kinds of children of an attempt."""

    JOB = "Job"
    CONFIG_MAP = "ConfigMap"


@dataclass(frozen=True, slots=True)
class CreateConfigMap:
    """Create the immutable spec.json of an attempt."""

    attempt: int


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create the Job of an attempt."""

    attempt: int
    memory: str = ""
    """Memory limit that replaces the manifest's after an out-of-memory failure."""
    deadline_seconds: int | None = None
    """What is left of runPolicy.activeDeadlineSeconds."""
    excluded_nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PatchMetadata:
    """Restore labels and ownerReferences of a child that is ours."""

    kind: Child
    attempt: int
    uid: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a child of an attempt; with a uid, only the object that was seen."""

    kind: Child
    attempt: int
    uid: str = ""


@dataclass(frozen=True, slots=True)
class DeleteSelf:
    """Delete the custom resource itself, which ends its time to live."""

    uid: str


Action = CreateConfigMap | CreateJob | PatchMetadata | Delete | DeleteSelf


@dataclass(frozen=True, slots=True)
class Note:
    """An Event to record about a transition."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order: the status write, then the actions, then the Events.

    The status goes first because it records the attempt: a child never exists that no status knows of.
    """

    status: Mapping[str, Any] | None = None
    """The operator's whole part of the status; None when it stands as it should."""
    actions: tuple[Action, ...] = ()
    events: tuple[Note, ...] = ()
    requeue_after: float | None = None
    """Seconds after which to decide again although nothing was heard."""
    needs: frozenset[Need] = field(default_factory=frozenset)
    """Not empty: nothing is decided yet; look at these and ask again."""

    @property
    def empty(self) -> bool:
        """Whether the world is as it should be."""
        return self.status is None and not self.actions and not self.events and not self.needs
