"""Deployment and Service of a ModelServer: one version, pinned by place and digest, never by alias."""

from __future__ import annotations

from typing import Any

from trainyard.api.names import API_VERSION, LABEL_COMPONENT, LABEL_VERSION, MODELSERVER
from trainyard.core.reading import mapping, text, whole
from trainyard.core.resource import ModelServer
from trainyard.core.serving_observed import Release
from trainyard.render.compare import hashed
from trainyard.render.inputs import Installation
from trainyard.render.labels import SERVER, owner, serving_labels
from trainyard.render.names import deployment_name
from trainyard.render.serving_pod import Container, provenance, serving_template

PORT, METRICS_PORT = 8080, 9090
DRAIN_SECONDS = 30
SETTLE_SECONDS = 5
"""How long a pod that is to end still answers, while the network learns that it is gone."""
DEADLINE_SECONDS = 600
_LIMITS = {
    "TRAINYARD_MAX_BODY_BYTES": ("maxBodyBytes", 10_485_760),
    "TRAINYARD_MAX_ROWS": ("maxRows", 10_000),
    "TRAINYARD_MAX_CONCURRENCY": ("maxConcurrency", 64),
    "TRAINYARD_TIMEOUT_SECONDS": ("timeoutSeconds", 30),
}
_STARTUP_PERIOD = 2


def deployment(server: ModelServer, release: Release, install: Installation) -> dict[str, Any]:
    """Render the Deployment, without replicas: they belong to whoever scales."""
    deadline = whole(mapping(server.spec.get("rollout")).get("deadlineSeconds"), DEADLINE_SECONDS)
    meta = child_metadata(server, deployment_name(server.name), SERVER)
    meta["labels"][LABEL_VERSION] = str(release.version)
    meta["annotations"] = provenance(release)
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "selector": {"matchLabels": selected(server.name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "progressDeadlineSeconds": deadline,
            "revisionHistoryLimit": 5,
            "template": _template(server, release, install, deadline),
        },
    }
    return hashed(body)


def replicas(server: ModelServer) -> int | None:
    """How many pods the manifest wants; None when somebody else decides."""
    if "autoscaling" in server.spec or "external" in server.spec:
        return None
    return whole(server.spec.get("replicas"), 1)


def scale(server: ModelServer, number: int) -> dict[str, Any]:
    """The one field that is applied by a manager of its own, so that it can be handed over."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": deployment_name(server.name), "namespace": server.namespace},
        "spec": {"replicas": number},
    }


def service(server: ModelServer) -> dict[str, Any]:
    """Render the Service; its name and address outlive every version."""
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_metadata(server, server.name, SERVER),
        "spec": {
            "type": "ClusterIP",
            "selector": selected(server.name),
            "ports": [{"name": "http", "port": port(server), "targetPort": "http", "protocol": "TCP"}],
        },
    }
    return hashed(body)


def port(server: ModelServer) -> int:
    """Port of the Service."""
    return whole(server.spec.get("port"), 80)


def model_name(server: ModelServer) -> str:
    """Name of the model in the server's addresses."""
    return text(server.spec.get("model")) or server.name


def selected(name: str) -> dict[str, str]:
    """Labels by which Deployment and Service find their pods; they can never change."""
    return {MODELSERVER.label: name, LABEL_COMPONENT: SERVER}


def child_metadata(server: ModelServer, name: str, component: str) -> dict[str, Any]:
    """Metadata of a child of a ModelServer."""
    return {
        "name": name,
        "namespace": server.namespace,
        "labels": serving_labels(server.name, component),
        "ownerReferences": [owner(server.name, server.uid, MODELSERVER)],
    }


def model_server(namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Render the ModelServer that a promotion creates where none is; nobody owns it."""
    return {
        "apiVersion": API_VERSION,
        "kind": MODELSERVER.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _template(server: ModelServer, release: Release, install: Installation, deadline: int) -> dict[str, Any]:
    drain = whole(server.spec.get("drainSeconds"), DRAIN_SECONDS)
    limits = mapping(server.spec.get("limits"))
    env = {
        "TRAINYARD_MODEL_NAME": model_name(server),
        "TRAINYARD_MODEL_VERSION": str(release.version),
        "TRAINYARD_SHA256": release.sha256,
        "TRAINYARD_PORT": str(PORT),
        "TRAINYARD_METRICS_PORT": str(METRICS_PORT),
        "TRAINYARD_DRAIN_SECONDS": str(drain),
        **{name: str(whole(limits.get(key), default)) for name, (key, default) in _LIMITS.items()},
    }
    command = ["python", "-m", "trainyard_trainer.serving"]
    container = Container("server", command, env, _fields(deadline))
    pod = {"terminationGracePeriodSeconds": SETTLE_SECONDS + drain + SETTLE_SECONDS}
    return serving_template(server, release, install, SERVER, container, pod)


def _fields(deadline: int) -> dict[str, Any]:
    """Ready only when the weights answer as recorded; alive without touching the model."""
    ready, live = ({"path": f"/v2/health/{what}", "port": "http"} for what in ("ready", "live"))
    tries = max(deadline // _STARTUP_PERIOD, 1)
    return {
        "ports": [
            {"name": "http", "containerPort": PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "startupProbe": _probe(ready, _STARTUP_PERIOD, tries),
        "readinessProbe": _probe(ready, 2, 3),
        "livenessProbe": _probe(live, 10, 6),
        "lifecycle": {"preStop": {"sleep": {"seconds": SETTLE_SECONDS}}},
    }


def _probe(get: dict[str, str], period: int, failures: int) -> dict[str, Any]:
    return {"httpGet": get, "periodSeconds": period, "timeoutSeconds": 5, "failureThreshold": failures}
