"""A full LIST now and then, because watches lose events and never tell of a deletion inside a gap."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from trainyard.api.names import MODELSERVER
from trainyard.controller.kube import MODEL_SERVERS, PODS, TRAINING_JOBS, Kube, KubeError
from trainyard.controller.metrics import Metrics
from trainyard.controller.promotions import Promotions, promotion_of
from trainyard.controller.watched import Key, Pods, key_of, owner_key
from trainyard.core import reading
from trainyard.core.observed import Pod
from trainyard.core.policy import read_policy
from trainyard.core.resource import TrainingJob
from trainyard.render.labels import TRAINING_SELECTOR

log = logging.getLogger(__name__)


class Resync:
    """Compares what is known with what is there, and queues what may need a pass."""

    def __init__(
        self,
        kube: Kube,
        namespaces: tuple[str, ...],
        pods: Pods,
        promotions: Promotions,
        metrics: Metrics,
        add: Callable[[Key], None],
    ) -> None:
        self._kube = kube
        self._namespaces = namespaces or ("",)
        self._pods = pods
        self._promotions = promotions
        self._metrics = metrics
        self._add = add
        self._known: set[Key] = set()

    async def once(self) -> None:
        """List everything; queue what is unfinished, and what is known but gone."""
        await self.list_pods()
        found: set[Key] = set()
        for namespace in self._namespaces:
            async for body in self._kube.list(TRAINING_JOBS, namespace):
                key, job = key_of(body), TrainingJob.read(body)
                found.add(key)
                state = reading.text(job.status.get("state"))
                cause = reading.text(reading.mapping(job.status.get("lastFailure")).get("cause"))
                self._metrics.jobs.seen(key, state or "Pending", cause if state == "Failed" else "")
                promotion = promotion_of(body)
                self._promotions.see(key, promotion)
                over = state in {"Succeeded", "Failed"} and promotion is None
                if not over or read_policy(job.spec).ttl_seconds is not None:
                    self._add(key)
            async for body in self._kube.list(MODEL_SERVERS, namespace):
                key = key_of(body, MODELSERVER)
                found.add(key)
                self._add(key)
        for key in self._known - found:
            self._add(key)
        self._known = found

    async def list_pods(self) -> None:
        """Learn all pods anew."""
        pods: dict[Key, list[Pod]] = {}
        for namespace in self._namespaces:
            async for body in self._kube.list(PODS, namespace, labelSelector=TRAINING_SELECTOR):
                key = owner_key(body)
                if key is not None:
                    pods.setdefault(key, []).append(reading.pod(body))
        self._pods.replace_all(pods)

    async def run(self, period: float) -> None:
        """Resync for ever; a period differs a little from the next so that replicas of a test do not beat."""
        while True:
            await asyncio.sleep(period * random.uniform(0.9, 1.1))
            try:
                await self.once()
            except KubeError as error:
                log.warning("the resync failed and is tried again next time: %s", error)
