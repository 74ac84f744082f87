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
    KUEUE = "kueue"
    """Whether the cluster has Kueue: `Observed.kueue`."""
    PREVIOUS = "previous"
    """The Job of the attempt before: `Observed.previous`."""
    PROMOTION = "promotion"
    """The registry and the ModelServer: `Observed.promotion`."""


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
class CreateNetwork:
    """Create what lets the pods of a group find and reach each other: headless Service, NetworkPolicy."""

    attempt: int


@dataclass(frozen=True, slots=True)
class DeleteNetwork:
    """Delete them, as far as they are this object's; whatever is left goes with the object."""

    attempt: int


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


@dataclass(frozen=True, slots=True)
class Register:
    """Post to MLflow: find the version tagged with `uid`, else create it (and the model, with the claim).

    The version's tags are all of `tags` and trainyard.artifactURI, resolved from `source`. A model of that
    name with another claim, or none, is left alone.
    """

    model: str
    """Registered name, <namespace>.<model>."""
    claim: str
    """Tag trainyard.modelserver of the model: <namespace>/<ModelServer>."""
    uid: str
    """Tag trainyard.uid of the version: uid of the TrainingJob."""
    source: str
    """models:/m-..., as the trainer told it."""
    run_id: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CreateModelServer:
    """Create a missing ModelServer, without an owner; one that is there already is fine and left as it is."""

    name: str
    spec: Mapping[str, Any]


Action = (
    CreateConfigMap
    | CreateJob
    | CreateNetwork
    | DeleteNetwork
    | PatchMetadata
    | Delete
    | DeleteSelf
    | Register
    | CreateModelServer
)


@dataclass(frozen=True, slots=True)
class Note:
    """An Event to record about a transition."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order: what comes before, the status write, the actions, then the Events.

    The status goes ahead of the actions because it records the attempt: a child never exists that no status
    knows of.
    """

    before: tuple[Action, ...] = ()
    """Removals that nothing would ask for again once the status is written."""
    status: Mapping[str, Any] | None = None
    """The operator's whole part of the status; None when it stands as it should."""
    actions: tuple[Action, ...] = ()
    events: tuple[Note, ...] = ()
    requeue_after: float | None = None
    """Seconds after which to decide again although nothing was heard."""
    needs: frozenset[Need] = field(default_factory=frozenset)
    """Not empty: nothing is decided yet; look at these and ask again."""
    about: str = ""
    """With Need.EVENTS: uid of the Job or pod whose Events are wanted."""

    @property
    def empty(self) -> bool:
        """Whether the world is as it should be."""
        return self.status is None and not any((self.before, self.actions, self.events, self.needs))
