"""The Job of one attempt. It never retries: the operator owns attempts, the Job only keeps the cause."""

from __future__ import annotations

from typing import Any

from trainyard.api.names import LABEL_QUEUE, TRAINER_CONTAINER
from trainyard.api.states import ExitCode
from trainyard.core.reading import mapping, text
from trainyard.render.group import size
from trainyard.render.inputs import Attempt, Installation
from trainyard.render.labels import metadata
from trainyard.render.names import attempt_name
from trainyard.render.pods import pod_template

_CODES = tuple(sorted(code.value for code in ExitCode if code is not ExitCode.DONE))


def attempt_job(attempt: Attempt, install: Installation) -> dict[str, Any]:
    """Render the Job of an attempt."""
    name = attempt_name(attempt.job, attempt.number)
    meta = metadata(attempt.namespace, attempt.job, attempt.uid, attempt.number, name)
    spec: dict[str, Any] = {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": failure_rules()},
        "template": pod_template(attempt, install),
    }
    if (nodes := size(attempt)) > 1:
        spec |= {"completions": nodes, "parallelism": nodes, "completionMode": "Indexed"}
    if attempt.deadline_seconds is not None:
        spec["activeDeadlineSeconds"] = attempt.deadline_seconds
    if queue := text(mapping(attempt.spec.get("runPolicy")).get("queueName")):
        meta["labels"] = {**meta["labels"], LABEL_QUEUE: queue}
        spec["suspend"] = True
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}


def failure_rules() -> list[dict[str, Any]]:
    """One rule a class, so that the Job's condition still tells the cause when the pod is gone."""
    disruption = {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    codes = [
        {
            "action": "FailJob",
            "onExitCodes": {"containerName": TRAINER_CONTAINER, "operator": "In", "values": [code]},
        }
        for code in _CODES
    ]
    return [disruption, *codes]
