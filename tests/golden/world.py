"""A small world for decisions: API bodies in, a Plan out, and the Plan applied to the bodies.

It does what the controller does (answers what a decision asks for, creates, deletes, writes the status) and
nothing that Kubernetes would do in the meantime, so that the second look sees exactly the first one's effect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from trainyard.api.names import LABEL_INDEX
from trainyard.core import reading
from trainyard.core.conditions import format_time, parse_time
from trainyard.core.observed import AttemptJob, Observed
from trainyard.core.plan import (
    Action,
    CreateJob,
    CreateModelServer,
    CreateNetwork,
    Delete,
    DeleteNetwork,
    DeleteSelf,
    Need,
    PatchMetadata,
    Plan,
    Register,
)
from trainyard.core.policy import read_policy
from trainyard.core.reading_serving import server_facts
from trainyard.core.resource import TrainingJob
from trainyard.core.serving_observed import PromotionFacts, RegistryFacts, VersionFacts
from trainyard.core.serving_plan import ServerPlan
from trainyard.core.trainingjob import decide
from trainyard.render.inputs import Attempt, Installation
from trainyard.render.job import attempt_job
from trainyard.render.labels import attempt_labels
from trainyard.render.names import attempt_name

Body = dict[str, Any]
UID = "cr-uid"
INSTALL = Installation("trainer:1", "IfNotPresent", "http://mlflow:5000")
DEFAULT: Body = {
    "apiVersion": "trainyard.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {
        "name": "adult",
        "namespace": "team-a",
        "uid": UID,
        "generation": 1,
        "creationTimestamp": "2026-11-21T12:00:00Z",
    },
    "spec": {"model": {"tabnet": {}}, "data": {"source": {"uri": "sample://breast_cancer"}}},
}


def merged(base: Any, over: Any) -> Any:
    """Mappings merged key by key, everything else replaced."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {k: merged(base.get(k), over[k]) if k in over else deepcopy(base[k]) for k in {**base, **over}}
    return deepcopy(over)


@dataclass
class World:
    """The bodies that a decision can know of."""

    cr: Body | None
    now: datetime
    jobs: dict[str, Body] = field(default_factory=dict)
    pods: list[Body] = field(default_factory=list)
    events: list[Body] = field(default_factory=list)
    networks: set[int] = field(default_factory=set)
    """Attempts that have a Service and a NetworkPolicy."""
    seen: dict[str, Any] = field(default_factory=dict)
    """Further fields of Observed."""
    promotion: PromotionFacts = field(default_factory=PromotionFacts)

    @classmethod
    def load(cls, case: Mapping[str, Any]) -> Self:
        """Read a case; what it leaves out is as usual."""
        cr = merged(DEFAULT, case.get("job", {}))
        world = cls(cr, moment(case["now"]), seen=dict(case.get("seen", {})))
        world.promotion = _promotion(case.get("promotion", {}))
        given = case.get("world", {})
        for number, over in given.get("jobs", {}).items():
            body = merged(world.render(int(number)), over or {})
            world.jobs[body["metadata"]["name"]] = body
        if world.nodes > 1:
            world.networks = {cr.get("status", {}).get("attempt", 0)} & set(given.get("jobs", {}))
        world.pods = [world.pod(i, over) for i, over in enumerate(given.get("pods", []))]
        world.events = list(given.get("events", []))
        return world

    def render(self, number: int, action: CreateJob | None = None) -> Body:
        """The Job of an attempt as the controller would create it."""
        assert self.cr is not None
        attempt = Attempt("team-a", "adult", UID, number, self.cr["spec"])
        body = attempt_job(attempt, INSTALL)
        created = format_time(self.now) if action else "2026-11-21T12:00:00Z"
        body["metadata"] |= {"uid": f"job-{number}", "creationTimestamp": created}
        return body

    def pod(self, index: int, over: Mapping[str, Any]) -> Body:
        """A pod; `attempt` tells whose it is, `index` its place in a group."""
        rest = {k: v for k, v in over.items() if k not in {"attempt", "index"}}
        index = over.get("index", index)
        number = over.get("attempt", 1)
        labels = attempt_labels("adult", number)
        if self.nodes > 1:
            labels[LABEL_INDEX] = str(index)
        base = {
            "metadata": {
                "name": f"adult-tj-a{number}-{index}",
                "uid": f"pod-{number}-{index}",
                "creationTimestamp": "2026-11-21T12:00:00Z",
                "labels": labels,
                "ownerReferences": [{"kind": "Job", "uid": f"job-{number}"}],
            },
            "spec": {"nodeName": "node-1", "containers": [{"name": "trainer", "image": "trainer:1"}]},
            "status": {"phase": "Pending"},
        }
        body: Body = merged(base, rest)
        return body

    @property
    def nodes(self) -> int:
        """How many pods an attempt has."""
        return read_policy(self.cr["spec"]).nodes if self.cr else 1

    def look(self) -> Plan:
        """Decide, answering what the decision asks for."""
        if self.cr is None:
            return Plan()
        job = TrainingJob.read(self.cr)
        number = reading.whole(job.status.get("attempt"))
        body = self.jobs.get(attempt_name("adult", number))
        child = body and reading.attempt_job(body, owner_uid=UID, labels=attempt_labels("adult", number))
        observed = Observed(child or None, tuple(reading.pod(p) for p in self.pods), **self.seen)
        plan = decide(job, observed, self.now)
        for _ in range(3):
            if Need.PREVIOUS in plan.needs:
                observed = dataclasses.replace(observed, previous=self._previous(number - 1))
            if Need.PODS in plan.needs:
                observed = dataclasses.replace(observed, pods_fresh=True)
            if Need.EVENTS in plan.needs:
                observed = dataclasses.replace(observed, events=tuple(reading.event(e) for e in self.events))
            if Need.KUEUE in plan.needs:
                observed = dataclasses.replace(observed, kueue=True)
            if Need.ACCOUNT in plan.needs:
                observed = dataclasses.replace(observed, account=False)
            if Need.PROMOTION in plan.needs:
                observed = dataclasses.replace(observed, promotion=self.promotion)
            if not plan.needs:
                return plan
            plan = decide(job, observed, self.now)
        return plan

    def _previous(self, number: int) -> tuple[AttemptJob, ...]:
        body = self.jobs.get(attempt_name("adult", number))
        labels = attempt_labels("adult", number)
        return (reading.attempt_job(body, owner_uid=UID, labels=labels),) if body else ()

    def apply(self, plan: Plan) -> None:
        """Do what a Plan says, and nothing else."""
        for action in plan.before:
            self._act(action)
        if plan.status is not None and self.cr is not None:
            progress = self.cr.get("status", {}).get("progress")
            self.cr["status"] = {
                **deepcopy(dict(plan.status)),
                **({"progress": progress} if progress else {}),
            }
        for action in plan.actions:
            self._act(action)

    def _act(self, action: Action) -> None:
        match action:
            case CreateJob(attempt=number):
                assert attempt_name("adult", number) not in self.jobs, "created twice"
                self.jobs[attempt_name("adult", number)] = self.render(number, action)
            case CreateNetwork(attempt=number):
                assert attempt_name("adult", number) not in self.jobs, "too late for the pods"
                self.networks.add(number)
            case DeleteNetwork(attempt=number):
                self.networks.discard(number)
            case Delete(attempt=number):
                self.jobs.pop(attempt_name("adult", number), None)
                for pod in self.pods:
                    if pod["metadata"]["ownerReferences"][0]["uid"] == f"job-{number}":
                        gone = format_time(self.now + timedelta(seconds=60))
                        pod["metadata"].setdefault("deletionTimestamp", gone)
            case PatchMetadata(attempt=number):
                name = attempt_name("adult", number)
                self.jobs[name]["metadata"] |= self.render(number)["metadata"]
            case DeleteSelf():
                self.cr = None
            case Register():
                assert self.promotion.registry is not None
                busy = dataclasses.replace(self.promotion.registry, busy=True)
                self.promotion = dataclasses.replace(self.promotion, registry=busy)
            case CreateModelServer(spec=spec):
                facts = server_facts({"spec": spec})
                self.promotion = dataclasses.replace(self.promotion, server=facts)
            case _:
                pass


def plain(plan: Plan | ServerPlan) -> Body:
    """A Plan as YAML can hold it."""
    found: Body = {}
    if plan.status is not None:
        found["status"] = dict(plan.status)
    if before := getattr(plan, "before", ()):
        found["before"] = [{type(a).__name__: fields(a)} for a in before]
    if plan.actions:
        found["actions"] = [{type(a).__name__: fields(a)} for a in plan.actions]
    if plan.events:
        found["events"] = [fields(e) for e in plan.events]
    if plan.requeue_after is not None:
        found["requeueAfter"] = plan.requeue_after
    return found


def _promotion(given: Mapping[str, Any]) -> PromotionFacts:
    """Registry and ModelServer of a case; a registry that is left out has not answered yet."""
    registry, server = given.get("registry"), given.get("server")
    if registry is not None:
        versions = tuple(VersionFacts(**v) for v in registry.get("versions", ()))
        registry = RegistryFacts(**{**registry, "versions": versions})
    return PromotionFacts(registry, None if server is None else server_facts(server))


def fields(value: Any) -> Body:
    """A dataclass without what says nothing."""
    body = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return {k: _word(v) for k, v in body.items() if v not in ("", None, (), False)}


def _word(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if dataclasses.is_dataclass(value):
        return fields(value)
    return list(value) if isinstance(value, tuple) else value


def moment(value: str) -> datetime:
    """A time of a case."""
    found = parse_time(value)
    assert found is not None
    return found
