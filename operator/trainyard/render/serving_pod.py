"""What the pods of a ModelServer have in common: one image, one fetched package, no right to anything else.

The manifest's podTemplate is merged as for trainer pods: it can add, and never replaces a name of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainyard.api.names import ANNOTATION_ARTIFACT_URI, ANNOTATION_SHA256, LABEL_VERSION, TERMINATION_LOG
from trainyard.core.reading import mapping, mappings, text
from trainyard.core.resource import ModelServer
from trainyard.core.serving_observed import Release
from trainyard.render.inputs import Installation
from trainyard.render.labels import serving_labels
from trainyard.render.restricted import CPU_REQUEST, container_security, placement, pod_security

MODEL_DIR = "/model"
TOKENS_DIR = "/var/run/secrets/trainyard-tokens"
DEFAULT_CPU, DEFAULT_MEMORY = "250m", "1Gi"
DEFAULT_SCRATCH = {"requests": "1Gi", "limits": "4Gi"}
PACKAGE_SIZE, SCRATCH_SIZE = "3Gi", "512Mi"
FETCH_COMMAND = ["python", "-m", "trainyard_trainer.serving.fetch"]
_OWNER_AND_GROUP_READ = 0o440


@dataclass(frozen=True, slots=True)
class Container:
    """The container that a pod is there for."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    fields: Mapping[str, Any]
    """Ports, probes and whatever else only this container has."""


def serving_template(
    server: ModelServer,
    release: Release,
    install: Installation,
    component: str,
    container: Container,
    pod: Mapping[str, Any],
) -> dict[str, Any]:
    """Render a pod template: the init container fetches and checks, then `container` runs.

    Args:
        server: the ModelServer.
        release: what the pod is pinned to.
        install: settings of the chart.
        component: what the pod is there for (a label).
        container: its container.
        pod: more fields of the pod's spec.
    """
    extra = mapping(server.spec.get("podTemplate"))
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "initContainers": [_fetch(server, release, install, extra)],
        "containers": [_container(server, install, extra, container)],
        "volumes": _volumes(server, extra),
        **placement(extra),
        **pod,
    }
    if tolerations := [dict(t) for t in mappings(extra.get("tolerations"))]:
        spec["tolerations"] = tolerations
    if account := text(server.spec.get("serviceAccountName")):
        spec["serviceAccountName"] = account
    labels = {
        **mapping(extra.get("labels")),
        **serving_labels(server.name, component),
        LABEL_VERSION: str(release.version),
    }
    annotations = {**mapping(extra.get("annotations")), **provenance(release)}
    return {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}


def provenance(release: Release) -> dict[str, str]:
    """The annotations that pin a release, readable by people and by us."""
    return {ANNOTATION_ARTIFACT_URI: release.uri, ANNOTATION_SHA256: release.sha256}


def resources(spec: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Requests and limits: memory is never promised beyond its request, the CPU request is always set."""
    asked = mapping(spec.get("resources"))
    requests, limits = dict(mapping(asked.get("requests"))), dict(mapping(asked.get("limits")))
    memory = limits.get("memory") or requests.get("memory") or DEFAULT_MEMORY
    requests.setdefault("memory", memory)
    limits.setdefault("memory", memory)
    requests.setdefault("cpu", limits.get("cpu", DEFAULT_CPU))
    disk = "ephemeral-storage"
    if disk not in requests and disk not in limits:
        requests[disk], limits[disk] = DEFAULT_SCRATCH["requests"], DEFAULT_SCRATCH["limits"]
    return {"requests": requests, "limits": limits}


def tokens(spec: Mapping[str, Any]) -> str:
    """The Secret whose values are accepted as tokens; empty when anyone may ask."""
    return text(mapping(spec.get("auth")).get("tokenSecret"))


def access(spec: Mapping[str, Any]) -> dict[str, str]:
    """How server and verification learn who may ask; without either every request is refused."""
    if tokens(spec):
        return {"TRAINYARD_TOKENS_DIR": TOKENS_DIR}
    return {"TRAINYARD_ANONYMOUS": "1"} if "anonymous" in mapping(spec.get("auth")) else {}


def _fetch(
    server: ModelServer, release: Release, install: Installation, extra: Mapping[str, Any]
) -> dict[str, Any]:
    env = {
        "TRAINYARD_ARTIFACT_URI": release.uri,
        "TRAINYARD_SHA256": release.sha256,
        "TRAINYARD_TRACKING_URI": install.tracking_uri,
    }
    mounts = [
        {"name": "trainyard-model", "mountPath": MODEL_DIR},
        {"name": "trainyard-tmp", "mountPath": "/tmp"},  # noqa: S108 - a mount of the pod's own
    ]
    users = [dict(m) for m in mappings(extra.get("volumeMounts"))]
    own = [m for m in mounts if m["mountPath"] not in {u.get("mountPath") for u in users}]
    base = _base(server, install, extra, "fetch", FETCH_COMMAND, env)
    return {**base, "volumeMounts": own + users}


def _container(
    server: ModelServer, install: Installation, extra: Mapping[str, Any], container: Container
) -> dict[str, Any]:
    env = {**container.env, **access(server.spec)}
    mounts: list[dict[str, Any]] = [{"name": "trainyard-model", "mountPath": MODEL_DIR, "readOnly": True}]
    if tokens(server.spec):
        mounts.append({"name": "trainyard-tokens", "mountPath": TOKENS_DIR, "readOnly": True})
    users = [dict(m) for m in mappings(extra.get("volumeMounts"))]
    if not any(m.get("mountPath") == "/tmp" for m in users):  # noqa: S108 - as above
        mounts.append({"name": "trainyard-tmp", "mountPath": "/tmp"})  # noqa: S108
    base = _base(server, install, extra, container.name, container.command, env)
    return {**base, "volumeMounts": mounts + users, **container.fields}


def _base(
    server: ModelServer,
    install: Installation,
    extra: Mapping[str, Any],
    name: str,
    command: Sequence[str],
    env: Mapping[str, str],
) -> dict[str, Any]:
    """What every container has."""
    container: dict[str, Any] = {
        "name": name,
        "image": text(server.spec.get("image")) or install.trainer_image,
        "imagePullPolicy": text(server.spec.get("imagePullPolicy")) or install.pull_policy,
        "command": list(command),
        "env": _env({**env, "TRAINYARD_MODEL_DIR": MODEL_DIR}, extra),
        "resources": resources(server.spec),
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
    }
    if sources := [dict(e) for e in mappings(extra.get("envFrom"))]:
        container["envFrom"] = sources
    return container


def _env(own: Mapping[str, str], extra: Mapping[str, Any]) -> list[dict[str, Any]]:
    users = [dict(e) for e in mappings(extra.get("env")) if not text(e.get("name")).startswith("TRAINYARD_")]
    home = [] if any(e.get("name") == "HOME" for e in users) else [{"name": "HOME", "value": "/tmp"}]  # noqa: S108
    return [*({"name": k, "value": v} for k, v in own.items()), CPU_REQUEST, *home, *users]


def _volumes(server: ModelServer, extra: Mapping[str, Any]) -> list[dict[str, Any]]:
    own: list[dict[str, Any]] = [
        {"name": "trainyard-model", "emptyDir": {"sizeLimit": PACKAGE_SIZE}},
        {"name": "trainyard-tmp", "emptyDir": {"sizeLimit": SCRATCH_SIZE}},
    ]
    if secret := tokens(server.spec):
        mount = {"secretName": secret, "defaultMode": _OWNER_AND_GROUP_READ}
        own.append({"name": "trainyard-tokens", "secret": mount})
    taken = {v["name"] for v in own}
    return own + [dict(v) for v in mappings(extra.get("volumes")) if v.get("name") not in taken]
