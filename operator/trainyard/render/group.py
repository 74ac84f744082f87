"""What the pods of one attempt need to find and reach each other: addresses, a headless Service, a policy.

Static rendezvous: the pod with index 0 has a DNS name that is known before any pod runs, and each is told it.
The Service publishes addresses of pods that are not ready, since none is before all have met.
"""

from __future__ import annotations

from typing import Any

from trainyard.core.policy import read_policy
from trainyard.render.inputs import Attempt
from trainyard.render.labels import attempt_labels, metadata
from trainyard.render.names import attempt_name

MASTER_PORT = 29500
"""The port that torch.distributed uses where nothing else is said."""


def size(attempt: Attempt) -> int:
    """How many pods train together."""
    return read_policy(attempt.spec).nodes


def addresses(attempt: Attempt) -> dict[str, str]:
    """Environment by which the pods find the one with index 0; JOB_COMPLETION_INDEX is Kubernetes' own."""
    name = attempt_name(attempt.job, attempt.number)
    return {
        "MASTER_ADDR": f"{name}-0.{name}.{attempt.namespace}.svc",
        "MASTER_PORT": str(MASTER_PORT),
        "TRAINYARD_NODES": str(size(attempt)),
    }


def attempt_service(attempt: Attempt) -> dict[str, Any]:
    """Render the headless Service that gives each pod a name; no port, for it forwards nothing."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(attempt),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": attempt_labels(attempt.job, attempt.number),
        },
    }


def attempt_network_policy(attempt: Attempt) -> dict[str, Any]:
    """Render the policy that lets the pods of the attempt talk to each other, and nobody else to them."""
    pods = {"matchLabels": attempt_labels(attempt.job, attempt.number)}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(attempt),
        "spec": {
            "podSelector": pods,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": pods}]}],
        },
    }


def _metadata(attempt: Attempt) -> dict[str, Any]:
    name = attempt_name(attempt.job, attempt.number)
    return metadata(attempt.namespace, attempt.job, attempt.uid, attempt.number, name)
