"""From watch events to queue keys: the border between kopf's thread and the main loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from trainyard.api.names import MODELSERVER, TRAININGJOB
from trainyard.controller.promotions import Promotion, Promotions, promotion_of
from trainyard.controller.watched import (
    Digests,
    Key,
    Pods,
    deployment_digest,
    job_digest,
    key_of,
    model_server_digest,
    owner_key,
    pod_digest,
    training_job_digest,
)
from trainyard.core import reading
from trainyard.core.observed import Pod
from trainyard.core.reading_serving import server_facts
from trainyard.core.serving_observed import ServerFacts


class Intake:
    """A `handlers.Sink`: bodies become facts in the caller's thread and are filed on the main loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pods: Pods,
        promotions: Promotions,
        add: Callable[[Key], None],
        *,
        first_seen: Callable[[Key], None] = lambda _: None,
    ) -> None:
        self._loop = loop
        self._pods = pods
        self._add = add
        self._first_seen = first_seen
        self._promotions = promotions
        self._digests = Digests()
        self._news = Digests()

    def training_job(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        """A TrainingJob was seen."""
        key, digest = key_of(body), training_job_digest(body)
        new = not reading.mapping(body.get("status")).get("attempt")
        self._hand_over(self._file_job, key, key.kind, key.name, digest, deleted, new)
        self._hand_over(self._file_promotion, key, None if deleted else promotion_of(body))

    def model_server(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        """A ModelServer was seen."""
        key, digest = key_of(body, MODELSERVER), model_server_digest(body)
        self._hand_over(self._file_job, key, key.kind, key.name, digest, deleted, False)
        self._hand_over(self._file_server, key, None if deleted else server_facts(body))

    def deployment(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        """A Deployment of ours was seen."""
        key = owner_key(body)
        if key is not None:
            name = reading.text(reading.mapping(body.get("metadata")).get("name"))
            digest = deployment_digest(body)
            self._hand_over(self._file_job, key, "Deployment", name, digest, deleted, False)

    def job(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        """A Job of ours was seen."""
        key = owner_key(body)
        if key is not None:
            name = reading.text(reading.mapping(body.get("metadata")).get("name"))
            self._hand_over(self._file_job, key, "Job", name, job_digest(body), deleted, False)

    def pod(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        """A pod of ours was seen."""
        key = owner_key(body)
        if key is not None:
            self._hand_over(self._file_pod, key, reading.pod(body), deleted)

    def forget(self, key: Key) -> None:
        """An object is gone."""
        self._digests.forget(key.kind, key.namespace, key.name)
        self._news.forget(key.kind, key.namespace, key.name)
        if key.kind == TRAININGJOB.kind:
            self._file_promotion(key, None)

    def _hand_over(self, call: Callable[..., None], *args: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *args)

    def _file_job(self, key: Key, kind: str, name: str, digest: Any, deleted: bool, new: bool) -> None:
        if deleted:
            self._digests.forget(kind, key.namespace, name)
        elif not self._digests.changed(kind, key.namespace, name, digest):
            return
        if new and not deleted:
            self._first_seen(key)
        self._add(key)

    def _file_promotion(self, key: Key, promotion: Promotion | None) -> None:
        for server in self._promotions.see(key, promotion):
            self._add(server)

    def _file_server(self, key: Key, facts: ServerFacts | None) -> None:
        """What a ModelServer does with a version is news to the TrainingJobs whose promotion waits for it."""
        if self._news.changed(key.kind, key.namespace, key.name, facts):
            for job in self._promotions.under_way(key):
                self._add(job)

    def _file_pod(self, key: Key, pod: Pod, deleted: bool) -> None:
        if deleted:
            self._pods.drop(key, pod.name)
            self._digests.forget("Pod", key.namespace, pod.name)
        else:
            self._pods.put(key, pod)
            if not self._digests.changed("Pod", key.namespace, pod.name, pod_digest(pod)):
                return
        self._add(key)
