"""One pass over one TrainingJob: observe, decide, apply. Level-triggered: why it was called does not matter.

A pass reads the object and its Job live, takes pods from the watch (or lists them when the decision asks),
writes the status at most once and first, then acts. What fails half-way is found undone by the next pass.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from trainyard.controller.children import Setback, create_child, delete_child, status_body
from trainyard.controller.installation import Installations
from trainyard.controller.kube import (
    CONFIG_MAPS,
    JOBS,
    MODEL_SERVERS,
    NETWORK_POLICIES,
    SERVICES,
    TRAINING_JOBS,
    AlreadyExists,
    Conflict,
    Kube,
    NotFound,
    Resource,
)
from trainyard.controller.metrics import Metrics
from trainyard.controller.observe import Observer
from trainyard.controller.recorder import Recorder
from trainyard.controller.registry import Registry
from trainyard.controller.watched import Key, Pods
from trainyard.core import reading
from trainyard.core.plan import (
    Action,
    Child,
    CreateConfigMap,
    CreateJob,
    CreateModelServer,
    CreateNetwork,
    Delete,
    DeleteNetwork,
    DeleteSelf,
    PatchMetadata,
    Plan,
    Register,
)
from trainyard.core.resource import TrainingJob
from trainyard.render.configmap import attempt_config_map
from trainyard.render.group import attempt_network_policy, attempt_service
from trainyard.render.inputs import Attempt
from trainyard.render.job import attempt_job
from trainyard.render.labels import repair
from trainyard.render.names import attempt_name
from trainyard.render.serving import model_server

log = logging.getLogger(__name__)

_RESOURCES: dict[Child, Resource] = {Child.JOB: JOBS, Child.CONFIG_MAP: CONFIG_MAPS}


class TrainingJobReconciler:
    """Reconciles TrainingJobs."""

    def __init__(
        self,
        kube: Kube,
        pods: Pods,
        installations: Installations,
        registry: Registry,
        recorder: Recorder,
        metrics: Metrics,
        *,
        forget: Callable[[Key], None] = lambda _: None,
        created: Callable[[Key], None] = lambda _: None,
    ) -> None:
        self._kube = kube
        self._pods = pods
        self._installations = installations
        self._registry = registry
        self._observer = Observer(kube, pods, installations, registry)
        self._recorder = recorder
        self._metrics = metrics
        self._forget = forget
        self._created = created
        self._setbacks: dict[Key, Setback] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Make one pass; the result is the delay after which another is due."""
        try:
            body = await self._kube.get(TRAINING_JOBS, key.namespace, key.name)
        except NotFound:
            self._setbacks.pop(key, None)
            self._registry.forget(key)
            self._pods.forget(key)
            self._metrics.jobs.forget(key)
            self._forget(key)
            return None
        job = TrainingJob.read(body)
        plan = await self._observer.decide(key, job, self._setbacks.pop(key, Setback()))
        return await self._apply(key, job, plan)

    async def _apply(self, key: Key, job: TrainingJob, plan: Plan) -> float | None:
        status = job.status if plan.status is None else plan.status
        for action in plan.before:
            await self._act(key, job, action)
        if plan.status is not None:
            try:
                await self._kube.apply_status(TRAINING_JOBS, job.namespace, status_body(job, plan.status))
            except (Conflict, NotFound):
                return 0.0  # somebody wrote in between (the coordinator, a person): look again
        for note in plan.events:
            self._recorder.record(job, note)
        failure = reading.mapping(status.get("lastFailure")) if status.get("state") == "Failed" else {}
        self._metrics.jobs.seen(key, str(status.get("state", "Pending")), str(failure.get("cause", "")))
        for action in plan.actions:
            setback = await self._act(key, job, action)
            if setback is not None:
                self._setbacks[key] = setback
                return 0.0
        return plan.requeue_after

    async def _act(self, key: Key, job: TrainingJob, action: Action) -> Setback | None:
        match action:
            case CreateConfigMap():
                install = await self._installations.current()
                body = attempt_config_map(_attempt(job, action.attempt), install)
                return await create_child(self._kube, job, CONFIG_MAPS, body)
            case CreateNetwork():
                return await self._create_network(job, _attempt(job, action.attempt))
            case DeleteNetwork():
                for resource in (SERVICES, NETWORK_POLICIES):
                    await delete_child(self._kube, job, resource, attempt_name(job.name, action.attempt))
            case CreateJob():
                install = await self._installations.current()
                body = attempt_job(_with(_attempt(job, action.attempt), action), install)
                setback = await create_child(self._kube, job, JOBS, body)
                if setback is None:
                    self._created(key)
                return setback
            case PatchMetadata():
                name = attempt_name(job.name, action.attempt)
                body = repair(job.name, job.uid, action.attempt, action.uid)
                await self._kube.patch(_RESOURCES[action.kind], job.namespace, name, body)
            case Delete():
                name = attempt_name(job.name, action.attempt)
                await self._kube.delete(_RESOURCES[action.kind], job.namespace, name, action.uid)
            case Register():
                self._registry.register(key, action)
            case CreateModelServer():
                return await self._create_server(job, action)
            case DeleteSelf():
                await self._kube.delete(TRAINING_JOBS, job.namespace, job.name, action.uid)
        return None

    async def _create_network(self, job: TrainingJob, attempt: Attempt) -> Setback | None:
        setback = await create_child(self._kube, job, NETWORK_POLICIES, attempt_network_policy(attempt))
        return setback or await create_child(self._kube, job, SERVICES, attempt_service(attempt))

    async def _create_server(self, job: TrainingJob, action: CreateModelServer) -> Setback | None:
        """It is nobody's child: one that is there already is fine."""
        body = model_server(job.namespace, action.name, dict(action.spec))
        with suppress(AlreadyExists):
            await self._kube.create(MODEL_SERVERS, job.namespace, body)
        return None


def _attempt(job: TrainingJob, number: int) -> Attempt:
    return Attempt(job.namespace, job.name, job.uid, number, job.spec)


def _with(attempt: Attempt, action: CreateJob) -> Attempt:
    return replace(
        attempt,
        memory=action.memory,
        deadline_seconds=action.deadline_seconds,
        excluded_nodes=action.excluded_nodes,
    )
