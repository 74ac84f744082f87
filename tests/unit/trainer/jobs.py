"""Jobs for tests: small, seeded, logged to a store of their own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainyard.api.wire import AttemptSpec
from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.fit.loop import Epoch
from trainyard_trainer.resolve import Job, resolve


def spec(**changes: Any) -> dict[str, Any]:
    """A TrainingJob's spec that trains in a moment; changes by top-level part are merged one level deep."""
    body: dict[str, Any] = {
        "model": {"tabnet": {"nD": 4, "nA": 4, "nSteps": 2, "virtualBatchSize": 64}},
        "data": {"source": {"uri": "sample://breast_cancer"}, "split": {"validation": 0.15, "test": 0.15}},
        "training": {"epochs": 6, "batchSize": 128, "deterministic": True},
        "tracking": {"report": False, "systemMetrics": False},  # test_run_report.py has both
    }
    for part, fields in changes.items():
        body[part] = {**body.get(part, {}), **fields}
    return body


def attempt_spec(uri: str, number: int = 1, uid: str = "uid-1", **changes: Any) -> dict[str, Any]:
    """spec.json as the operator writes it."""
    return {
        "formatVersion": 1,
        "kind": "TrainingJob",
        "namespace": "team-a",
        "name": "bc",
        "uid": uid,
        "clusterUID": "c-1",
        "attempt": number,
        "spec": spec(**changes),
        "tracking": {"uri": uri, "experiment": "team-a/bc"},
    }


def job(uri: str, folder: Path, number: int = 1, uid: str = "uid-1", **changes: Any) -> Job:
    """The same, resolved, with artifacts below `folder`."""
    attempt = AttemptSpec.model_validate(attempt_spec(uri, number, uid, **changes))
    return resolve(attempt, artifact_root=(folder / "artifacts").as_uri())


def store(template: Path, folder: Path) -> str:
    """A fresh MLflow database; copying one is seconds faster than making one."""
    shutil.copy(template, folder / "mlflow.db")
    return f"sqlite:///{folder / 'mlflow.db'}"


class Quiet:
    """An observer that only remembers."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.resumed_after = 0

    def stage(self, text: str) -> None:
        """Nothing."""

    def data(self, prepared: Prepared) -> None:
        """Nothing."""

    def begin(self, epochs: int, done: int) -> None:
        """Remember where it began."""
        self.resumed_after = done

    def epoch(self, epoch: Epoch, epochs: int, eta_seconds: float) -> None:
        """Remember the epoch."""
        self.epochs.append(epoch.number)

    def fold(self, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Nothing."""


def result_of(path: Path) -> dict[str, Any]:
    """The last word of a process."""
    content = path.read_text()
    assert len(content.encode()) <= 4096
    result: dict[str, Any] = json.loads(content)
    return result
