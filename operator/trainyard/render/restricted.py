"""What no pod of ours may do, and the part of a manifest's podTemplate that may shape any of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

USER = 10001
"""Owner of what the images and volumes hold."""
CPU_REQUEST = {
    "name": "TRAINYARD_CPU_REQUEST_MILLI",
    "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu", "divisor": "1m"}},
}
"""Without a CPU limit the request says how many threads are meant."""
_PLACEMENT = (
    "nodeSelector",
    "affinity",
    "topologySpreadConstraints",
    "priorityClassName",
    "runtimeClassName",
    "imagePullSecrets",
)


def pod_security() -> dict[str, Any]:
    """The securityContext of a pod: Pod Security `restricted`, and a user of ours."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """The securityContext of a container: nothing to gain, nothing to write but mounts."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def placement(extra: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a podTemplate that say where a pod runs and how its image is pulled."""
    return {field: extra[field] for field in _PLACEMENT if extra.get(field)}
