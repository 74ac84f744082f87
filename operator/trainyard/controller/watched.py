"""What the watches told last: pod facts for decisions, and digests that drop events without news.

Only used on the main loop. Nothing here is trusted for absence: a missed deletion is found by the resync.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import override

from trainyard.api.names import MODELSERVER, TRAININGJOB, Kind
from trainyard.core import reading
from trainyard.core.observed import Pod


@dataclass(frozen=True, slots=True)
class Key:
    """Names one object to reconcile."""

    kind: str
    namespace: str
    name: str

    @override
    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def key_of(body: Mapping[str, Any], kind: Kind = TRAININGJOB) -> Key:
    """The key of an object of ours."""
    meta = reading.mapping(body.get("metadata"))
    return Key(kind.kind, reading.text(meta.get("namespace")), reading.text(meta.get("name")))


def owner_key(body: Mapping[str, Any]) -> Key | None:
    """The key of the object that a child's label names."""
    meta = reading.mapping(body.get("metadata"))
    labels = reading.mapping(meta.get("labels"))
    for kind in (TRAININGJOB, MODELSERVER):
        if name := reading.text(labels.get(kind.label)):
            return Key(kind.kind, reading.text(meta.get("namespace")), name)
    return None


class Pods:
    """The last known facts of trainer pods, by TrainingJob.

    How a pod ended is remembered after it is gone, until a later attempt has pods: Kubernetes deletes the
    peers of the first pod that it sees fail, and what one of them said may be the cause.
    """

    def __init__(self) -> None:
        self._by_key: dict[Key, dict[str, Pod]] = {}
        self._ended: dict[Key, dict[str, Pod]] = {}

    def of(self, key: Key) -> tuple[Pod, ...]:
        """Pods of a TrainingJob, in a stable order."""
        found = {**self._ended.get(key, {}), **self._by_key.get(key, {})}
        return tuple(found[name] for name in sorted(found))

    def put(self, key: Key, pod: Pod) -> None:
        """A pod was seen."""
        ended = self._ended.get(key, {})
        if any(old.attempt < pod.attempt for old in ended.values()):
            del self._ended[key]
        self._by_key.setdefault(key, {})[pod.name] = pod

    def drop(self, key: Key, name: str) -> None:
        """A pod was deleted."""
        found = self._by_key.get(key)
        if found is not None:
            pod = found.pop(name, None)
            if pod is not None and pod.over:
                self._ended.setdefault(key, {})[name] = pod
            if not found:
                del self._by_key[key]

    def replace(self, key: Key, pods: Iterable[Pod]) -> None:
        """The pods of a TrainingJob were listed."""
        found = {pod.name: pod for pod in pods}
        if found:
            self._by_key[key] = found
        else:
            self._by_key.pop(key, None)

    def forget(self, key: Key) -> None:
        """The TrainingJob is gone, and nobody asks any more how its pods ended."""
        self._ended.pop(key, None)

    def replace_all(self, pods: Mapping[Key, list[Pod]]) -> None:
        """All pods were listed."""
        self._by_key = {key: {pod.name: pod for pod in found} for key, found in pods.items()}


class Digests:
    """Tells whether an event says anything new."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str, str], Hashable] = {}

    def changed(self, kind: str, namespace: str, name: str, digest: Hashable) -> bool:
        """Remember a digest; False when it is the one already known."""
        where = (kind, namespace, name)
        if self._last.get(where) == digest:
            return False
        self._last[where] = digest
        return True

    def forget(self, kind: str, namespace: str, name: str) -> None:
        """The object is gone."""
        self._last.pop((kind, namespace, name), None)


def training_job_digest(body: Mapping[str, Any]) -> Hashable:
    """What matters of a TrainingJob: spec, deletion, and which attempt was heard of; not our own writes."""
    meta = reading.mapping(body.get("metadata"))
    progress = reading.mapping(reading.mapping(body.get("status")).get("progress"))
    return (
        meta.get("uid"),
        meta.get("generation"),
        bool(meta.get("deletionTimestamp")),
        progress.get("attempt"),
    )


def model_server_digest(body: Mapping[str, Any]) -> Hashable:
    """What matters of a ModelServer to itself: spec and deletion; not our own writes."""
    meta = reading.mapping(body.get("metadata"))
    return (meta.get("uid"), meta.get("generation"), bool(meta.get("deletionTimestamp")))


def deployment_digest(body: Mapping[str, Any]) -> Hashable:
    """What matters of a Deployment: whether it was touched, how far it is, and what it complains of."""
    meta, status = reading.mapping(body.get("metadata")), reading.mapping(body.get("status"))
    counts = tuple(reading.whole(status.get(f"{kind}eplicas")) for kind in ("r", "updatedR", "readyR"))
    available = reading.whole(status.get("availableReplicas"))
    complaints = frozenset(
        (reading.text(c.get("type")), reading.text(c.get("status")), reading.text(c.get("reason")))
        for c in reading.mappings(status.get("conditions"))
    )
    labels = frozenset((str(k), str(v)) for k, v in reading.mapping(meta.get("labels")).items())
    seen = reading.whole(status.get("observedGeneration"))
    where = (meta.get("uid"), meta.get("generation"), bool(meta.get("deletionTimestamp")))
    return (where, seen, counts, available, complaints, labels)


def job_digest(body: Mapping[str, Any]) -> Hashable:
    """What matters of a Job: whether it is over and why, and whether its metadata were touched."""
    meta, status = reading.mapping(body.get("metadata")), reading.mapping(body.get("status"))
    conditions = frozenset(
        (reading.text(c.get("type")), reading.text(c.get("reason")))
        for c in reading.mappings(status.get("conditions"))
        if c.get("status") == "True" and c.get("type") != "SuccessCriteriaMet"
    )
    labels = frozenset((str(k), str(v)) for k, v in reading.mapping(meta.get("labels")).items())
    owners = tuple(reading.text(o.get("uid")) for o in reading.mappings(meta.get("ownerReferences")))
    suspended = reading.mapping(body.get("spec")).get("suspend") is True
    return (meta.get("uid"), bool(meta.get("deletionTimestamp")), conditions, labels, owners, suspended)


_STILL_CREATING = frozenset({"ContainerCreating", "PodInitializing"})
_PULLING = frozenset({"ErrImagePull", "ImagePullBackOff"})


def pod_digest(pod: Pod) -> Hashable:
    """What matters of a pod; texts that Kubernetes alternates, and steps that change no state, do not."""
    waiting = "" if pod.waiting in _STILL_CREATING else "pull" if pod.waiting in _PULLING else pod.waiting
    return replace(
        pod, node="", waiting=waiting, waiting_message="", unschedulable=pod.unschedulable[:1], message=""
    )
