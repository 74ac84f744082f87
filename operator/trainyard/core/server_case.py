"""One case of a ModelServer to decide: the object, what was seen, the time, and the way to a ServerPlan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from trainyard.api.names import LABEL_COMPONENT, MODELSERVER
from trainyard.api.states import ConditionType, Reason, ServerState
from trainyard.core.conditions import Condition, clip, find, is_true, upkeep
from trainyard.core.plan import Note
from trainyard.core.reading import mapping, text, whole
from trainyard.core.reading_serving import source_of
from trainyard.core.resource import ModelServer
from trainyard.core.server_record import ServerRecord
from trainyard.core.serving_observed import (
    DeploymentFacts,
    RegistryFacts,
    Release,
    ServerObserved,
    VerifyFacts,
)
from trainyard.core.serving_plan import DeleteVerifyJob, ServerAction, ServerPlan
from trainyard.core.tags import claim_of, parse_version, registered_name


@dataclass(frozen=True, slots=True)
class Knobs:
    """The fields of a ModelServer's spec that decisions turn on."""

    model: str
    source: str
    pinned: int | None
    alias: str
    replicas: int | None
    """None when somebody else decides."""
    deadline: int
    verify_seconds: int
    port: int

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> Knobs:
        """Read them; whatever is malformed counts as silent."""
        source, rollout = mapping(spec.get("source")), mapping(spec.get("rollout"))
        theirs = spec.get("autoscaling") is not None or spec.get("external") is not None
        return cls(
            model=text(spec.get("model")),
            source=source_of(spec),
            pinned=parse_version(source.get("version")),
            alias=text(mapping(source.get("follow")).get("alias")),
            replicas=None if theirs else _within(spec.get("replicas"), 1, 0, 1000),
            deadline=_within(rollout.get("deadlineSeconds"), 600, 10, 86_400),
            verify_seconds=_within(rollout.get("verifySeconds"), 30, 0, 86_400),
            port=_within(spec.get("port"), 80, 1, 65_535),
        )


@dataclass(frozen=True, slots=True)
class ServerCase:
    """Everything a step of the decision looks at."""

    server: ModelServer
    knobs: Knobs
    before: ServerRecord
    """What the status says."""
    record: ServerRecord
    """The same, or what this decision already made of it."""
    observed: ServerObserved
    now: datetime

    @property
    def registered(self) -> str:
        """Name of the model in the registry."""
        return registered_name(self.server.namespace, self.knobs.model)

    @property
    def claim(self) -> str:
        """What the registered model's tag must say for us to move its alias."""
        return claim_of(self.server.namespace, self.server.name)

    @property
    def registry(self) -> RegistryFacts:
        """The registry as far as it is known."""
        return self.observed.registry or RegistryFacts(error="" if self.observed.registry else _SILENT)

    @property
    def ours(self) -> bool:
        """The registered model is there and claimed for this ModelServer."""
        return self.registry.claim == self.claim

    @property
    def deployment(self) -> DeploymentFacts | None:
        """The Deployment, if there is one."""
        return self.observed.deployment

    @property
    def to_zero(self) -> bool:
        """Nothing is to run, so nothing can be verified."""
        live = self.deployment.replicas if self.deployment is not None else 1
        return (live if self.knobs.replicas is None else self.knobs.replicas) == 0

    def release(self, version: int) -> Release | None:
        """What a version's pods are pinned to; what serves stays as it was, whatever the registry says."""
        known = self.registry.version(version)
        registered = Release(version, known.uri, known.sha256) if known is not None else None
        remembered = self.record.remembered(version)
        first = (remembered, registered) if version == self.record.serving else (registered, remembered)
        live = self.deployment.release if self.deployment is not None else None
        found = (r for r in (*first, live) if r is not None and r.version == version and r.uri and r.sha256)
        return next(found, None)

    def pods(self, version: int) -> str:
        """How many of the wanted pods surely answer with a version: the others may be of the one before."""
        live, answer = self.deployment, 0
        wanted = self.knobs.replicas if self.knobs.replicas is not None else live.replicas if live else 1
        if live is not None and live.release.version == version:
            stale = live.observed_generation < live.generation and version != self.record.serving
            answer = 0 if stale else max(0, min(live.updated, live.available - (live.total - live.updated)))
        return f"{answer} of {wanted} pods"

    def runs(self, release: Release) -> bool:
        """The Deployment is the one that we want for a release."""
        return self.deployment is not None and self.deployment.in_order and self.deployment.release == release

    def verification(self, version: int) -> VerifyFacts | None:
        """The verify Job of a version that asked the Deployment as it is now."""
        live = self.deployment
        if live is None or live.release.version != version:
            return None
        fits = (v for v in self.observed.verifications if self._asked(v, live) and v.version == version)
        return next((v for v in fits if not v.deleting), None)

    def outdated(self, version: int | None) -> list[ServerAction]:
        """Removal of the verify Jobs that still ask about something else."""
        current = self.verification(version) if version is not None else None
        others = (v for v in self.observed.verifications if v != current)
        return [DeleteVerifyJob(v.name, v.uid) for v in others if not v.over and not v.deleting]

    def age(self, since: datetime | None) -> float:
        """Seconds since a time; 0 without one."""
        return (self.now - since).total_seconds() if since is not None else 0.0

    def moved(self, state: ServerState, reason: str, message: str, **changes: Any) -> ServerRecord:
        """The record in a state, with counts and conditions as they are now."""
        live = self.deployment
        name, namespace = self.server.name, self.server.namespace
        base = replace(
            self.record,
            state=state,
            reason=reason,
            message=clip(message),
            url=f"http://{name}.{namespace}.svc:{self.knobs.port}",
            selector=f"{MODELSERVER.label}={name},{LABEL_COMPONENT}=server",
            replicas=live.total if live is not None else 0,
            ready=live.ready if live is not None else 0,
            **changes,
        )
        return replace(base, conditions=_conditions(self, base))

    def plan(
        self, record: ServerRecord, actions: Iterable[ServerAction] = (), requeue: float | None = None
    ) -> ServerPlan:
        """Turn a record into a plan: a write only for a difference, an Event only for a transition."""
        record = replace(record, generation=self.server.generation)
        status = record.to_status()
        if status == self.before.to_status():
            return ServerPlan(None, tuple(actions), (), requeue)
        warning = record.state in (ServerState.DEGRADED, ServerState.FAILED)
        told: Sequence[Note] = [Note(record.reason, record.message, warning)]
        return ServerPlan(
            status, tuple(actions), tuple(told) if _transition(self.before, record) else (), requeue
        )

    @staticmethod
    def _asked(seen: VerifyFacts, live: DeploymentFacts) -> bool:
        return (seen.deployment_uid, seen.generation) == (live.uid, live.generation)


_SILENT = "it did not answer yet"


def _within(value: object, default: int, low: int, high: int) -> int:
    return max(low, min(whole(value, default), high))


def _transition(old: ServerRecord, new: ServerRecord) -> bool:
    return (old.state, old.reason, old.target, old.serving) != (
        new.state,
        new.reason,
        new.target,
        new.serving,
    )


def _conditions(case: ServerCase, record: ServerRecord) -> tuple[Condition, ...]:
    """Serving always says something; the others only when they hold or once held."""
    generation, found = case.server.generation, record.conditions
    answers = case.deployment is not None and case.deployment.available > 0
    if record.serving is not None and answers:
        reason, message = Reason.AVAILABLE.value, f"Version {record.serving} serves."
    else:
        reason, message = record.reason, record.message
    serving = record.serving is not None and answers
    wanted = [Condition(ConditionType.SERVING.value, serving, reason, message, generation, case.now)]
    rolling = record.state is ServerState.ROLLING_OUT
    conflict = record.reason == Reason.NAME_CONFLICT
    for kind, holds in ((ConditionType.PROGRESSING, rolling), (ConditionType.NAME_CONFLICT, conflict)):
        if holds or is_true(found, kind):
            wanted.append(Condition(kind.value, holds, record.reason, record.message, generation, case.now))
    error = case.observed.registry.error if case.observed.registry is not None else None
    if error:
        text = clip(
            f"MLflow does not answer, or refuses: {error}. What serves goes on; nothing new is promoted."
        )
        why = Reason.TRACKING_UNAVAILABLE.value
        wanted.append(Condition(ConditionType.TRACKED.value, False, why, text, generation, case.now))
    elif error == "" and find(found, ConditionType.TRACKED) is not None:
        why, text = Reason.REGISTERED.value, "MLflow answers."
        wanted.append(Condition(ConditionType.TRACKED.value, True, why, text, generation, case.now))
    for condition in wanted:
        found = upkeep(found, condition)
    return found
