"""What a decision about a TrainingJob looks at: cheap things always, dear ones when it asks for them.

The object and its Job are read live, pods come from the watch (or are listed when the decision asks).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from trainyard.controller.children import Setback, usable_account
from trainyard.controller.installation import Installations
from trainyard.controller.kube import EVENTS, JOBS, MODEL_SERVERS, PODS, Kube, NotFound
from trainyard.controller.watched import Key, Pods
from trainyard.core import reading
from trainyard.core.observed import AttemptJob, Observed
from trainyard.core.plan import Need, Plan
from trainyard.core.reading_serving import server_facts
from trainyard.core.resource import TrainingJob
from trainyard.core.serving_observed import PromotionFacts, RegistryFacts
from trainyard.core.tags import registered_name
from trainyard.core.trainingjob import decide
from trainyard.render.labels import attempt_labels, selector
from trainyard.render.names import attempt_name

_LOOKS = 3
"""A decision asks for pods, then for Events, then decides."""


class RegistrySource(Protocol):
    """Where facts about registered models come from."""

    def facts(self, key: Key, name: str) -> RegistryFacts | None:
        """What is known of a model; None when nothing is yet."""


class Observer:
    """Sees the world for decisions; writes nothing."""

    def __init__(
        self, kube: Kube, pods: Pods, installations: Installations, registry: RegistrySource
    ) -> None:
        self._kube = kube
        self._pods = pods
        self._installations = installations
        self._registry = registry

    async def decide(self, key: Key, job: TrainingJob, setback: Setback) -> Plan:
        """Decide about a TrainingJob, seeing what the decision asks for."""
        observed = await self._observe(key, job, setback)
        plan = decide(job, observed, datetime.now(UTC))
        for _ in range(_LOOKS):
            if not plan.needs:
                break
            observed = await self._look(key, job, observed, plan)
            plan = decide(job, observed, datetime.now(UTC))
        return plan

    async def _observe(self, key: Key, job: TrainingJob, setback: Setback) -> Observed:
        """What can be known cheaply: the attempt's Job live, pods as last watched."""
        attempt = reading.whole(job.status.get("attempt"))
        over = job.status.get("state") in {"Succeeded", "Failed"}
        alive = not over or any(not pod.over for pod in self._pods.of(key))
        child = await self._read_job(job, attempt) if attempt > 0 and alive else None
        if attempt == 0:
            await self._installations.current()
        return Observed(
            attempt_job=child,
            pods=self._pods.of(key),
            coordinator_ready=self._installations.ready,
            foreign=setback.foreign,
            refused=setback.refused,
            refused_for_good=setback.for_good,
        )

    async def _read_job(self, job: TrainingJob, attempt: int) -> AttemptJob | None:
        try:
            body = await self._kube.get(JOBS, job.namespace, attempt_name(job.name, attempt))
        except NotFound:
            return None
        return reading.attempt_job(body, owner_uid=job.uid, labels=attempt_labels(job.name, attempt))

    async def _look(self, key: Key, job: TrainingJob, observed: Observed, plan: Plan) -> Observed:
        needs = plan.needs
        if Need.PODS in needs:
            found = self._kube.list(PODS, job.namespace, labelSelector=selector(job.name))
            self._pods.replace(key, [reading.pod(body) async for body in found])
            observed = replace(observed, pods=self._pods.of(key), pods_fresh=True)
        if Need.PREVIOUS in needs:
            previous = await self._read_job(job, reading.whole(job.status.get("attempt")) - 1)
            observed = replace(observed, previous=(previous,) if previous is not None else ())
        if Need.EVENTS in needs:
            observed = replace(observed, events=tuple(await self._events(job, plan.about)))
        if Need.KUEUE in needs:
            observed = replace(observed, kueue=await self._installations.kueue())
        if Need.ACCOUNT in needs:
            account = reading.text(reading.mapping(job.spec.get("compute")).get("serviceAccountName"))
            observed = replace(observed, account=await usable_account(self._kube, job.namespace, account))
        if Need.PROMOTION in needs:
            observed = replace(observed, promotion=await self._promotion(key, job))
        return observed

    async def _events(self, job: TrainingJob, uid: str) -> list[Any]:
        found = self._kube.list(EVENTS, job.namespace, fieldSelector=f"involvedObject.uid={uid}")
        return [reading.event(body) async for body in found]

    async def _promotion(self, key: Key, job: TrainingJob) -> PromotionFacts:
        model = reading.text(reading.mapping(job.spec.get("promotion")).get("model"))
        registry = self._registry.facts(key, registered_name(job.namespace, model))
        try:
            body = await self._kube.get(MODEL_SERVERS, job.namespace, model)
        except NotFound:
            return PromotionFacts(registry)
        return PromotionFacts(registry, server_facts(body))
