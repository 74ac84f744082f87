"""From a pod to the custom resource it may speak for: pod -> Job -> TrainingJob, by uid at every step.

Answered from watches, so a report costs the API server nothing. A pod can report before the watch has told
of it: then, and only then, the objects are read directly, once in a few seconds for each pod.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from trainyard.api import names
from trainyard.coordinator import facts
from trainyard.coordinator.auth import Identity
from trainyard.coordinator.facts import Child, Owner, Target
from trainyard.coordinator.kube import Kube, KubeError
from trainyard.coordinator.metrics import Metrics
from trainyard.coordinator.reflector import Reflector

T = TypeVar("T", Child, Target)
REMEMBER_READS = 5.0
MOST_REMEMBERED = 20_000


class NotOursError(Exception):
    """The pod belongs to no custom resource of ours, or is not known yet."""


class Watched:
    """One resource in the watched namespaces, or in all of them."""

    def __init__(self, resource: str, prefix: str, reflectors: Mapping[str, Reflector[Any]]) -> None:
        self.resource = resource
        self.prefix = prefix
        self.reflectors = reflectors

    def covers(self, namespace: str) -> bool:
        """Whether this namespace is watched."""
        return "" in self.reflectors or namespace in self.reflectors

    def get(self, namespace: str, uid: str) -> Any:
        """What is kept of an object of this namespace, or None: an owner elsewhere is no owner."""
        reflector = self.reflectors.get("") or self.reflectors.get(namespace)
        found = reflector.items.get(uid) if reflector else None
        return found if found is not None and found.namespace == namespace else None

    def path(self, namespace: str, name: str) -> str:
        """URL path of one object."""
        return f"{self.prefix}/namespaces/{namespace}/{self.resource}/{name}"


class Index:
    """The watches of pods, Jobs and TrainingJobs, and the questions asked of them."""

    def __init__(self, kube: Kube, namespaces: Sequence[str], metrics: Metrics) -> None:
        self._kube = kube
        self._recent: dict[str, tuple[float, Any]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

        def watched(prefix: str, resource: str, project: Callable[[Any], Any], selector: str) -> Watched:
            restarted = metrics.watch_restarts.labels(resource).inc
            paths = {
                space: f"{prefix}/namespaces/{space}/{resource}" if space else f"{prefix}/{resource}"
                for space in namespaces or ("",)
            }
            return Watched(
                resource,
                prefix,
                {
                    space: Reflector(kube, path, project, selector=selector, on_restart=restarted)
                    for space, path in paths.items()
                },
            )

        self.pods = watched("/api/v1", "pods", facts.child, facts.MANAGED)
        self.jobs = watched("/apis/batch/v1", "jobs", facts.child, facts.MANAGED)
        self.trainingjobs = watched(f"/apis/{names.API_VERSION}", names.TRAININGJOB.plural, facts.target, "")

    @property
    def reflectors(self) -> list[Reflector[Any]]:
        """Every watch there is."""
        return [one for kind in (self.pods, self.jobs, self.trainingjobs) for one in kind.reflectors.values()]

    @property
    def synced(self) -> bool:
        """Whether every watch has listed at least once."""
        return all(reflector.synced.is_set() for reflector in self.reflectors)

    async def owner(self, identity: Identity) -> Owner:
        """The custom resource that this pod works for."""
        namespace = identity.namespace
        if not self.pods.covers(namespace):
            raise NotOursError(f"namespace {namespace} is not watched")
        pod = await self._find(self.pods, namespace, identity.pod, identity.pod_uid, facts.child)
        if pod is None or pod.owner is None or pod.owner.kind != "Job":
            raise NotOursError(f"pod {namespace}/{identity.pod} is not known or belongs to no Job of ours")
        job = await self._find(self.jobs, namespace, pod.owner.name, pod.owner.uid, facts.child)
        if job is None or job.owner is None:
            raise NotOursError(f"Job {namespace}/{pod.owner.name} is not known or not ours")
        return Owner(job.owner.kind, namespace, job.owner.name, job.owner.uid, job.attempt, pod.image)

    async def target(self, owner: Owner) -> Target | None:
        """The owner as last seen; None when it is gone."""
        return await self._find(self.trainingjobs, owner.namespace, owner.name, owner.uid, facts.target)

    async def read_target(self, owner: Owner) -> Target | None:
        """The owner as it is now: for a write whose precondition has just failed."""
        return await self._read(self.trainingjobs, owner.namespace, owner.name, owner.uid, facts.target)

    async def _find(
        self, kind: Watched, namespace: str, name: str, uid: str, project: Callable[[Any], T]
    ) -> T | None:
        known: T | None = kind.get(namespace, uid)
        if known is not None:
            return known
        lock = self._locks.setdefault(uid, asyncio.Lock())
        try:
            async with lock:
                return await self._read_once(kind, namespace, name, uid, project)
        finally:
            if not lock.locked():
                self._locks.pop(uid, None)

    async def _read_once(
        self, kind: Watched, namespace: str, name: str, uid: str, project: Callable[[Any], T]
    ) -> T | None:
        """Read directly, unless it was read a moment ago: also what is not there is remembered that long."""
        now = asyncio.get_running_loop().time()
        if (recent := self._recent.get(uid)) and now < recent[0]:
            found: T | None = recent[1]
            return found
        found = await self._read(kind, namespace, name, uid, project)
        if len(self._recent) >= MOST_REMEMBERED:
            self._recent = {key: value for key, value in self._recent.items() if now < value[0]}
        self._recent[uid] = (now + REMEMBER_READS, found)
        return found

    async def _read(
        self, kind: Watched, namespace: str, name: str, uid: str, project: Callable[[Any], T]
    ) -> T | None:
        try:
            body = await self._kube.get(kind.path(namespace, name))
        except KubeError as error:
            if error.status == 404:
                return None
            raise
        if body["metadata"]["uid"] != uid:
            return None
        labelled = kind is self.trainingjobs or facts.managed(body)
        return project(body) if labelled else None
