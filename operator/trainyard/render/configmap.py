"""The immutable ConfigMap of an attempt: spec.json and the coordinator's CA, mounted into its pods."""

from __future__ import annotations

import json
from typing import Any

from trainyard.api.names import CA_FILE, TOKEN_FILE
from trainyard.core.reading import mapping, text
from trainyard.render.inputs import Attempt, Installation
from trainyard.render.labels import metadata
from trainyard.render.names import attempt_name

FORMAT_VERSION = 1


def attempt_config_map(attempt: Attempt, install: Installation) -> dict[str, Any]:
    """Render the ConfigMap; `core.policy.problems` bounds the spec, hence its size."""
    name = attempt_name(attempt.job, attempt.number)
    data = {
        "spec.json": json.dumps(attempt_spec(attempt, install), separators=(",", ":"), ensure_ascii=False)
    }
    if install.ca_bundle:
        data["ca.crt"] = install.ca_bundle
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(attempt.namespace, attempt.job, attempt.uid, attempt.number, name),
        "immutable": True,
        "data": data,
    }


def attempt_spec(attempt: Attempt, install: Installation) -> dict[str, Any]:
    """Build spec.json as `trainyard.api.wire.AttemptSpec` reads it; the spec is passed on untouched."""
    tracking = mapping(attempt.spec.get("tracking"))
    experiment = text(tracking.get("experiment")) or f"{attempt.namespace}/{attempt.job}"
    return {
        "formatVersion": FORMAT_VERSION,
        "kind": "TrainingJob",
        "namespace": attempt.namespace,
        "name": attempt.job,
        "uid": attempt.uid,
        "clusterUID": install.cluster_uid,
        "attempt": attempt.number,
        "spec": dict(attempt.spec),
        "tracking": {"uri": install.tracking_uri, "experiment": experiment},
        "coordinator": coordinator(install),
    }


def coordinator(install: Installation) -> dict[str, str] | None:
    """Where a pod reports, as spec.json says it; nothing before the coordinator can be trusted."""
    if not install.coordinator_url or (
        install.coordinator_url.startswith("https:") and not install.ca_bundle
    ):
        return None
    endpoint = {"url": install.coordinator_url, "tokenFile": TOKEN_FILE}
    return {**endpoint, "caFile": CA_FILE} if install.ca_bundle else endpoint
