"""One pass over one ModelServer: observe, decide, apply; the same rules as for TrainingJobs.

Deployment and Service are read live and written only when they are not as they would be rendered now. MLflow
is never waited for: what is known of it is remembered, and what is asked of it is posted.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from trainyard.api.names import LABEL_USABLE, MANAGER_REPLICAS
from trainyard.controller.children import Setback, create_child, owned, status_body, usable_account
from trainyard.controller.installation import Installations
from trainyard.controller.kube import (
    DEPLOYMENTS,
    JOBS,
    MODEL_SERVERS,
    SERVICES,
    TRAINING_JOBS,
    Conflict,
    Forbidden,
    Invalid,
    Kube,
    NotFound,
    Resource,
)
from trainyard.controller.promotions import Promotions
from trainyard.controller.recorder import Recorder
from trainyard.controller.registry import Registry
from trainyard.controller.servingchildren import Body, Children, read_children, replicas_of
from trainyard.controller.watched import Key
from trainyard.core import reading, reading_serving
from trainyard.core.modelserver import decide_server
from trainyard.core.resource import ModelServer
from trainyard.core.serving_observed import OfferFacts, ServerObserved
from trainyard.core.serving_plan import (
    ApplyDeployment,
    ApplyService,
    CreateVerifyJob,
    DeleteVerifyJob,
    MoveAlias,
    ServerAction,
    ServerPlan,
)
from trainyard.core.tags import registered_name
from trainyard.render.serving import deployment, replicas, scale, service
from trainyard.render.serving_job import verify_job


class ModelServerReconciler:
    """Reconciles ModelServers."""

    def __init__(
        self,
        kube: Kube,
        promotions: Promotions,
        installations: Installations,
        registry: Registry,
        recorder: Recorder,
        *,
        forget: Callable[[Key], None] = lambda _: None,
    ) -> None:
        self._kube = kube
        self._promotions = promotions
        self._installations = installations
        self._registry = registry
        self._recorder = recorder
        self._forget = forget
        self._setbacks: dict[Key, Setback] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Make one pass; the result is the delay after which another is due."""
        try:
            body = await self._kube.get(MODEL_SERVERS, key.namespace, key.name)
        except NotFound:
            self._setbacks.pop(key, None)
            self._registry.forget(key)
            self._forget(key)
            return None
        server = ModelServer.read(body)
        if server.deleting:
            return None
        children = await read_children(self._kube, server)
        observed = await self._observe(key, server, children)
        plan = decide_server(server, observed, datetime.now(UTC))
        return await self._apply(key, server, children, plan)

    async def _observe(self, key: Key, server: ModelServer, children: Children) -> ServerObserved:
        setback = self._setbacks.pop(key, Setback())
        model = reading.text(server.spec.get("model"))
        return ServerObserved(
            registry=self._registry.facts(key, registered_name(server.namespace, model)),
            offers=await self._offers(server, model),
            deployment=children.deployment_facts(server, await self._installations.current()),
            service_in_order=children.service_in_order(server),
            verifications=children.verifications(),
            foreign=setback.foreign or children.foreign(server.uid),
            refused=setback.refused or await self._account(server),
        )

    async def _account(self, server: ModelServer) -> str:
        """A ServiceAccount gives rights, so its owner has to allow its use: a manifest cannot."""
        name = reading.text(server.spec.get("serviceAccountName"))
        if not name or await usable_account(self._kube, server.namespace, name):
            return ""
        return f'ServiceAccount {name} may not be used: create it with the label {LABEL_USABLE}: "true"'

    async def _offers(self, server: ModelServer, model: str) -> tuple[OfferFacts, ...]:
        """What TrainingJobs offer, read live: an offer that was taken back meanwhile does not count."""
        if reading_serving.source_of(server.spec) != "promotions":
            return ()
        found = []
        for job in self._promotions.offering(server.namespace, model):
            try:
                body = await self._kube.get(TRAINING_JOBS, job.namespace, job.name)
            except NotFound:
                continue
            if (offer := reading_serving.offer(body, model)) is not None:
                found.append(offer)
        return tuple(found)

    async def _apply(
        self, key: Key, server: ModelServer, children: Children, plan: ServerPlan
    ) -> float | None:
        if plan.status is not None:
            body = status_body(server, plan.status)
            try:
                await self._kube.apply_status(MODEL_SERVERS, server.namespace, body)
            except (Conflict, NotFound):
                return 0.0  # somebody wrote in between: look again
        for note in plan.events:
            self._recorder.record(server, note)
        for action in plan.actions:
            setback = await self._act(key, server, children, action)
            if setback is not None:
                self._setbacks[key] = setback
                return 0.0
        return plan.requeue_after

    async def _act(
        self, key: Key, server: ModelServer, children: Children, action: ServerAction
    ) -> Setback | None:
        install = await self._installations.current()
        match action:
            case ApplyDeployment():
                body = deployment(server, action.release, install)
                done = await self._put(server, DEPLOYMENTS, body, children.deployment)
                if isinstance(done, Setback):
                    return done
                await self._scale(server, done)
            case ApplyService():
                done = await self._put(server, SERVICES, service(server), children.service)
                return done if isinstance(done, Setback) else None
            case CreateVerifyJob():
                return await create_child(self._kube, server, JOBS, verify_job(server, action, install))
            case DeleteVerifyJob():
                await self._kube.delete(JOBS, server.namespace, action.name, action.uid)
            case MoveAlias():
                self._registry.move_alias(key, action)
        return None

    async def _put(
        self, server: ModelServer, resource: Resource, body: Body, live: Body | None
    ) -> Body | Setback:
        """Apply a child over the one that was seen, or where none was."""
        if live is not None and not owned(live, server.uid):
            return Setback(foreign=f"{body['kind']} {body['metadata']['name']}")
        try:
            return await self._kube.apply(resource, body, uid=_uid(live))
        except Conflict:
            return Setback()  # made or replaced since we looked; the next pass sees whose it is
        except (Invalid, Forbidden) as error:
            return Setback(refused=str(error))

    async def _scale(self, server: ModelServer, live: Body) -> None:
        """Replicas have a manager of their own, which lets go of them by applying no more."""
        number = replicas(server)
        if number is not None and replicas_of(live) != number:
            body = scale(server, number)
            await self._kube.apply(DEPLOYMENTS, body, manager=MANAGER_REPLICAS, uid=_uid(live))


def _uid(body: Body | None) -> str:
    return reading.text(reading.mapping((body or {}).get("metadata")).get("uid"))
