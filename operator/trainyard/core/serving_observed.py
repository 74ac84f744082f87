"""What was seen of the registry, of a ModelServer and of its children: facts only, no bodies, no opinion.

Both roads look at these: a TrainingJob on its way to promotion, and the ModelServer that rolls a version out.
A version is a number here and text only in a status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Release:
    """What pods of a version are pinned to."""

    version: int
    uri: str
    """The folder that holds the package."""
    sha256: str


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """A registered version; all but the number come from the tags that we gave it."""

    number: int
    uid: str = ""
    """uid of the TrainingJob that made it."""
    uri: str = ""
    """Tag trainyard.artifactURI."""
    sha256: str = ""
    holdout_digest: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Tags trainyard.metric.<name>; NaN stays NaN, what is no number is left out."""


@dataclass(frozen=True, slots=True)
class RegistryFacts:
    """A registered model as last answered by MLflow, at least as new as our last finished change to it.

    With an `error` the rest is what was known before it, or nothing.
    """

    claim: str | None = None
    """Tag trainyard.modelserver; "" when the model is there without it, None when there is no such model."""
    versions: tuple[VersionFacts, ...] = ()
    aliases: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    """Why MLflow did not answer, or refused our last change."""
    busy: bool = False
    """A change that this object asked for is on its way: none is asked for again."""

    @property
    def champion(self) -> int | None:
        """What the alias `champion` names."""
        return self.aliases.get("champion")

    def version(self, number: int | None) -> VersionFacts | None:
        """A version by its number."""
        return next((v for v in self.versions if v.number == number), None)

    def made_by(self, uid: str) -> VersionFacts | None:
        """The version that a TrainingJob made; the first one, should there be two."""
        return min((v for v in self.versions if uid and v.uid == uid), key=lambda v: v.number, default=None)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A ModelServer as a TrainingJob sees it."""

    source: str
    """version, promotions or follow: the member of spec.source that is set; "" when none can be read."""
    model: str = ""
    pinned: int | None = None
    """spec.source.version."""
    serving: int | None = None
    serving_since: datetime | None = None
    """status.history[0].since."""
    served: tuple[int, ...] = ()
    """Every version in status.history."""
    target: int | None = None
    verifying: bool = False
    """The target is Available and being verified."""
    failed: int | None = None
    """status.failedTarget.version."""
    failed_reason: str = ""
    failed_message: str = ""


@dataclass(frozen=True, slots=True)
class PromotionFacts:
    """What a finished TrainingJob looks at while its result is on its way into serving."""

    registry: RegistryFacts | None = None
    """None: not answered yet; the key comes again when it is."""
    server: ServerFacts | None = None
    """The ModelServer named like the model; None when there is none."""


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """A version whose TrainingJob stands at RollingOut or Verifying."""

    version: int
    promoted_by: str
    """TrainingJob/adult."""
    message: str = ""
    """The gate's decision, with its numbers."""


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    """The Deployment `<name>-ms`."""

    uid: str
    generation: int
    release: Release
    """What its template is pinned to; version 0 when it does not tell."""
    in_order: bool
    """It is what we would render now for `release` (spec of the ModelServer, labels, owner)."""
    observed_generation: int = 0
    replicas: int = 1
    """spec.replicas."""
    total: int = 0
    """status.replicas, pods of the template before included."""
    updated: int = 0
    ready: int = 0
    available: int = 0
    trouble: str = ""
    """What keeps a pod of the template from being ready, in one sentence; "" when nothing is known."""

    @property
    def rolled_out(self) -> bool:
        """Every pod is of the present template and available, and none of the one before is left."""
        seen = self.observed_generation >= self.generation
        return seen and 0 < self.replicas == self.updated == self.total == self.available


@dataclass(frozen=True, slots=True)
class VerifyFacts:
    """A verify Job of this ModelServer, of any version."""

    name: str
    uid: str
    version: int
    deployment_uid: str
    """Deployment that it asked, and which generation of it."""
    generation: int
    succeeded: bool = False
    failed: bool = False
    message: str = ""
    """What its pod said at the end, or why the Job failed."""
    deleting: bool = False

    @property
    def over(self) -> bool:
        """Whether it asks no more."""
        return self.succeeded or self.failed


@dataclass(frozen=True, slots=True)
class ServerObserved:
    """Everything that a decision about a ModelServer may look at besides the object and the time."""

    registry: RegistryFacts | None = None
    """None: not answered yet; the key comes again when it is."""
    offers: tuple[OfferFacts, ...] = ()
    """Of this namespace and spec.model; read only with source.promotions."""
    deployment: DeploymentFacts | None = None
    service_in_order: bool | None = None
    """The Service is as we would render it; None when there is none."""
    verifications: tuple[VerifyFacts, ...] = ()
    """Jobs found by our label and owner."""
    foreign: str = ""
    """A child whose name somebody else's object holds: "Deployment adult-ms"."""
    refused: str = ""
    """What the API server said when it refused a child just now."""
