"""ModelServer: one model name that answers requests; which version does is decided by its source."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.meta import NAME_RULE, Resource
from trainyard.api.rules import Rule, exactly_one
from trainyard.api.serving import Nothing, ServingOptions
from trainyard.api.states import ServerState
from trainyard.api.status import Conditions
from trainyard.api.types import (
    Big,
    Count,
    Digest,
    Message,
    ObjectName,
    Reason,
    Reference,
    Sha256,
    Time,
    Version,
)

Alias = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


class Follow(ApiModel):
    """Serve whatever version an alias names."""

    alias: Alias
    """Alias in the registry; champion and previous are set by Trainyard and cannot be followed."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!(self.alias in ['champion', 'previous'])",
            "alias champion and alias previous are written by Trainyard: follow another one",
            lambda f: f.alias not in ("champion", "previous"),
            ".alias",
        ),
    )


class ServerSource(ApiModel):
    """Who decides the version; exactly one is set."""

    version: Version | None = None
    """You: this version, until you change it."""
    promotions: Nothing | None = None
    """TrainingJobs and Studies of this namespace, through their gates; write {}."""
    follow: Follow | None = None
    """Whoever moves an alias in the registry."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("version", "promotions", "follow"),)


class ModelServerSpec(ServingOptions):
    """What is served and how."""

    model: ObjectName
    """Name of the model, registered as <namespace>.<model>. Immutable."""
    source: ServerSource
    """Who decides the version."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *ServingOptions.rules,
        Rule("self.model == oldSelf.model", "model is immutable: create another ModelServer", None, ".model"),
    )


class FailedTarget(ApiModel):
    """A version that failed; not tried again until the source names another."""

    version: Version
    """The version."""
    reason: Reason
    """Why, in one word."""
    message: Message | None = None
    """Why, for people."""
    time: Time | None = None
    """When."""


class ServedVersion(ApiModel):
    """A version that served."""

    version: Version
    """The version."""
    sha256: Sha256 | None = None
    """Digest of its package."""
    artifact_uri: Reference | None = None
    """Where its package lies, so that it can come back while MLflow is down."""
    image_digest: Digest | None = None
    """Image that served it."""
    promoted_by: Annotated[str, Field(max_length=128)] | None = None
    """What promoted it: TrainingJob/adult, Study/mnist, a pin or an alias."""
    since: Time
    """From when."""
    until: Time | None = None
    """Until when; still serving where silent."""
    message: Message | None = None
    """The decision, with its numbers."""


class ModelServerStatus(ApiModel):
    """What is known about a ModelServer."""

    observed_generation: Big | None = None
    """Generation of the spec that was last acted on."""
    state: ServerState | None = None
    """Waiting, RollingOut, Serving, Degraded or Failed."""
    reason: Reason | None = None
    """Why, in one word."""
    message: Message | None = None
    """Why, for people, and what to do next."""
    serving_version: Version | None = None
    """What answers requests; the alias champion."""
    target_version: Version | None = None
    """What should answer requests."""
    target_since: Time | None = None
    """When its rollout began; rollout.deadlineSeconds counts from here."""
    failed_target: FailedTarget | None = None
    """A version that failed."""
    url: Reference | None = None
    """Where to ask, inside the cluster."""
    replicas: Count | None = None
    """Pods."""
    ready_replicas: Count | None = None
    """Pods that answer."""
    selector: Annotated[str, Field(max_length=512)] | None = None
    """Label selector of the pods, for the scale subresource."""
    history: Annotated[tuple[ServedVersion, ...], Field(max_length=20)] = ()
    """The last versions that served, newest first."""
    conditions: Conditions = ()
    """Aspects of the state, for kubectl wait."""


class ModelServer(Resource):
    """Serves a model behind one Service, across its versions."""

    spec: ModelServerSpec
    """What is served and how."""
    status: ModelServerStatus | None = None
    """What is known about it."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_RULE,)
