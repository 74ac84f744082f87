"""From watch events to queue keys: the border between kopf's thread and the main loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from trainyard.controller.watched import (
    Digests,
    Key,
    Pods,
    job_digest,
    key_of,
    owner_key,
    pod_digest,
    training_job_digest,
)
from trainyard.core import reading
from trainyard.core.observed import Pod


class Intake:
    """A `handlers.Sink`: bodies become facts in the caller's thread and are filed on the main loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pods: Pods,
        add: Callable[[Key], None],
        *,
        first_seen: Callable[[Key], None] = lambda _: None,
    ) -> None:
        self._loop = loop
        self._pods = pods
        self._add = add
        self._first_seen = first_seen
        self._digests = Digests()

    def training_job(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        """A TrainingJob was seen."""
        key, digest = key_of(body), training_job_digest(body)
        new = not reading.mapping(body.get("status")).get("attempt")
        self._hand_over(self._file_job, key, key.kind, key.name, digest, deleted, new)

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
        """A TrainingJob is gone."""
        self._digests.forget(key.kind, key.namespace, key.name)

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

    def _file_pod(self, key: Key, pod: Pod, deleted: bool) -> None:
        if deleted:
            self._pods.drop(key, pod.name)
            self._digests.forget("Pod", key.namespace, pod.name)
        else:
            self._pods.put(key, pod)
            if not self._digests.changed("Pod", key.namespace, pod.name, pod_digest(pod)):
                return
        self._add(key)
