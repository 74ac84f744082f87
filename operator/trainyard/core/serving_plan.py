"""A decision about a ModelServer as data. Order of doing: the status, then the actions, then the Events.

`Register` and `CreateModelServer`, which a finished TrainingJob asks for, are beside its other actions in
`trainyard.core.plan`. `Register` and `MoveAlias` go to MLflow: they are posted, not awaited, and the key
comes again when they are done; meanwhile `RegistryFacts.busy` is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.core.plan import Note
from trainyard.core.serving_observed import Release


@dataclass(frozen=True, slots=True)
class ApplyDeployment:
    """Apply the Deployment `<name>-ms`, its template pinned to a release."""

    release: Release


@dataclass(frozen=True, slots=True)
class ApplyService:
    """Apply the Service `<name>`."""


@dataclass(frozen=True, slots=True)
class CreateVerifyJob:
    """Create the Job `<name>-ms-v<version>-<generation>`; one that is there already is ours and fine."""

    release: Release
    deployment_uid: str
    generation: int
    """Of the Deployment, so that each rollout has a verification of its own."""
    deadline_seconds: int
    """activeDeadlineSeconds of the Job."""


@dataclass(frozen=True, slots=True)
class DeleteVerifyJob:
    """Delete a verify Job, if it is still the one that was seen."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class MoveAlias:
    """Let the alias `champion` of a registered model name a version."""

    model: str
    """Registered name, <namespace>.<model>."""
    version: int


ServerAction = ApplyDeployment | ApplyService | CreateVerifyJob | DeleteVerifyJob | MoveAlias


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """What to do about a ModelServer."""

    status: Mapping[str, Any] | None = None
    """The whole status; None when it stands as it should."""
    actions: tuple[ServerAction, ...] = ()
    events: tuple[Note, ...] = ()
    requeue_after: float | None = None
    """Seconds after which to decide again although nothing was heard."""

    @property
    def empty(self) -> bool:
        """Whether the world is as it should be."""
        return self.status is None and not self.actions and not self.events
