"""The Job that asks a version through the Service, as a client would, before the alias moves to it."""

from __future__ import annotations

from typing import Any

from trainyard.api.names import ANNOTATION_DEPLOYMENT, LABEL_VERSION
from trainyard.core.reading import mapping, whole
from trainyard.core.resource import ModelServer
from trainyard.core.serving_plan import CreateVerifyJob
from trainyard.render.inputs import Installation
from trainyard.render.labels import VERIFY
from trainyard.render.names import verify_name
from trainyard.render.serving import child_metadata, model_name, port
from trainyard.render.serving_pod import Container, provenance, serving_template

MAX_ERROR_RATE = 0.01
VERIFY_SECONDS = 30


def verify_job(server: ModelServer, action: CreateVerifyJob, install: Installation) -> dict[str, Any]:
    """Render the verify Job of a rollout; it is never retried, a new rollout has a Job of its own."""
    release, rollout = action.release, mapping(server.spec.get("rollout"))
    rate = rollout.get("maxErrorRate")
    env = {
        "TRAINYARD_URL": f"http://{server.name}.{server.namespace}.svc:{port(server)}",
        "TRAINYARD_MODEL_NAME": model_name(server),
        "TRAINYARD_MODEL_VERSION": str(release.version),
        "TRAINYARD_SHA256": release.sha256,
        "TRAINYARD_VERIFY_SECONDS": str(whole(rollout.get("verifySeconds"), VERIFY_SECONDS)),
        "TRAINYARD_MAX_ERROR_RATE": str(rate if isinstance(rate, int | float) else MAX_ERROR_RATE),
    }
    command = ["python", "-m", "trainyard_trainer.serving.verify"]
    template = serving_template(
        server,
        release,
        install,
        VERIFY,
        Container("verify", command, env, {}),
        {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5},
    )
    meta = child_metadata(server, verify_name(server.name, str(release.version), action.generation), VERIFY)
    meta["labels"][LABEL_VERSION] = str(release.version)
    meta["annotations"] = {
        **provenance(release),
        ANNOTATION_DEPLOYMENT: f"{action.deployment_uid}/{action.generation}",
    }
    spec = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "activeDeadlineSeconds": max(action.deadline_seconds, 1),
        "template": template,
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}
