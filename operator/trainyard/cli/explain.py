"""`trainyard explain NAME`: what the operator would do about a TrainingJob now, decided here and not done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import yaml

from trainyard.cli.remote import Cluster, command
from trainyard.controller.children import Setback
from trainyard.controller.installation import Installations
from trainyard.controller.observe import Observer
from trainyard.controller.settings import Settings
from trainyard.controller.watched import Key, Pods, key_of
from trainyard.core.plan import Plan
from trainyard.core.resource import TrainingJob
from trainyard.core.serving_observed import RegistryFacts


class _NoRegistry:
    """MLflow is the operator's to ask: the plan of a promotion stops where its answer is needed."""

    def facts(self, key: Key, name: str) -> RegistryFacts | None:
        del key, name
        return None


def explain(name: str, namespace: str | None) -> int:
    """Look as the operator does, decide with its own code, and print the Plan as YAML."""

    async def work(cluster: Cluster) -> int:
        body = await cluster.job(name)
        key, pods = key_of(body), Pods()
        pods.replace(key, await cluster.pods(name))
        installations = Installations(Settings(trainer_image="", tracking_uri=""), cluster.kube)
        observer = Observer(cluster.kube, pods, installations, _NoRegistry())
        job = TrainingJob.read(body)
        plan = await observer.decide(key, job, Setback())
        print(yaml.safe_dump(told(plan, job.status), sort_keys=False, allow_unicode=True, width=110), end="")
        return 0

    return command(namespace, work)


def told(plan: Plan, status: Mapping[str, Any]) -> dict[str, Any]:
    """A Plan in words: what of the status would change, what would be done, when it would be looked again."""
    written = plan.status or {}
    changes = {key: value for key, value in written.items() if status.get(key) != value}
    found: dict[str, Any] = {
        "status": changes,
        "actions": [_action(action) for action in (*plan.before, *plan.actions)],
        "events": [f"{note.reason}: {note.message}" for note in plan.events],
    }
    shown = {key: _plain(value) for key, value in found.items() if value}
    if plan.requeue_after is not None:
        shown["looksAgainAfterSeconds"] = plan.requeue_after
    return shown or {"nothing": "the job is as it should be"}


def _action(action: object) -> dict[str, Any]:
    values = (
        {field.name: getattr(action, field.name) for field in fields(action)} if is_dataclass(action) else {}
    )
    return {
        type(action).__name__: {key: value for key, value in values.items() if value not in ("", None, ())}
    }


def _plain(value: Any) -> Any:
    """The value as YAML can hold it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value.value if isinstance(value, Enum) else value
