"""The way of a finished job's result into serving, a file a step, and the stories of two retrainings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.golden.world import World, merged, plain
from trainyard.api.status import TrainingJobStatus
from trainyard.core.plan import CreateConfigMap, CreateJob
from trainyard.core.record import Record
from trainyard.core.standing import Standing

CASES = sorted((Path(__file__).parent / "promotion").glob("*.yaml"))
DONE: dict[str, Any] = {
    "job": {
        "spec": {
            "promotion": {
                "model": "income",
                "mode": "Automatic",
                "gate": {"metric": "test_roc_auc", "goal": "Maximize", "threshold": 0.9},
                "serving": {"auth": {"tokenSecret": "adult-tokens"}},
            }
        },
        "status": {
            "observedGeneration": 1,
            "state": "Succeeded",
            "reason": "Completed",
            "message": "The training is done.",
            "attempt": 1,
            "restarts": 0,
            "conditions": [
                {
                    "type": "Succeeded",
                    "status": "True",
                    "reason": "Completed",
                    "message": "The training is done.",
                    "observedGeneration": 1,
                    "lastTransitionTime": "2026-11-21T12:00:30Z",
                }
            ],
            "mlflow": {
                "experimentID": "1",
                "runID": "r1",
                "modelURI": "models:/m-1",
                "modelSHA256": "a" * 64,
            },
            "metrics": {"test_roc_auc": 0.95, "test_brier": 0.1},
            "data": {"dataDigest": "d", "holdoutDigest": "h", "rows": 569},
            "completionTime": "2026-11-21T12:00:30Z",
        },
    }
}
"""A job that has succeeded; a case says what differs."""


def _load(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = yaml.safe_load(path.read_text())
    return case


def _world(case: dict[str, Any]) -> World:
    body = merged(DONE, case)
    for name in case.get("drop", ()):
        del body["job"]["status"][name]
    return World.load(body)


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_plan_is_as_recorded(path: Path) -> None:
    case = _load(path)
    plan = plain(_world(case).look())
    shown = {k: v for k, v in plan.get("status", {}).items() if k in ("state", "promotion", "conditions")}
    plan = {**plan, "status": shown} if shown else plan
    if os.environ.get("TRAINYARD_UPDATE_GOLDEN"):
        text = yaml.safe_dump({**case, "plan": plan}, sort_keys=False, allow_unicode=True, width=110)
        path.write_text(text)
        return
    assert plan == case["plan"]


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_applied_plan_leaves_nothing_to_do(path: Path) -> None:
    world = _world(_load(path))
    world.apply(world.look())
    again = world.look()
    assert again.empty, plain(again)


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_training_stays_over_and_the_status_fits_the_api(path: Path) -> None:
    world = _world(_load(path))
    assert world.cr is not None
    plan = world.look()
    assert not any(isinstance(a, CreateJob | CreateConfigMap) for a in plan.actions)
    if plan.status is not None:
        TrainingJobStatus.strict(dict(plan.status))
        assert plan.status["state"] == world.cr["status"]["state"]
        assert Record.parse(plan.status, world.now).to_status() == dict(plan.status)
        promotion = plan.status.get("promotion", {})
        assert Standing.parse(promotion).to_dict() == promotion


def test_every_state_has_a_case() -> None:
    shown = {_load(p)["plan"].get("status", {}).get("promotion", {}).get("state") for p in CASES}
    assert {
        "Pending",
        "Evaluating",
        "Rejected",
        "AwaitingApproval",
        "RollingOut",
        "Verifying",
        "Promoted",
        "RolledBack",
    } <= shown


def test_the_gate_is_judged_once() -> None:
    world = _world({"now": "2026-11-21T12:01:00Z", "promotion": {"registry": {}}})
    world.apply(world.look())
    better = {"number": 1, "uid": "other", "holdout_digest": "h", "metrics": {"test_roc_auc": 0.99}}
    own = {"number": 2, "uid": "cr-uid", "holdout_digest": "h", "metrics": {"test_roc_auc": 0.95}}
    later = {"registry": {"claim": "team-a/income", "versions": [better, own], "aliases": {"champion": 1}}}
    world.promotion = World.load({"now": "2026-11-21T12:01:00Z", "promotion": later}).promotion
    world.apply(world.look())
    assert world.cr is not None
    assert world.cr["status"]["promotion"]["state"] == "RollingOut"
    assert world.cr["status"]["promotion"]["version"] == "2"
