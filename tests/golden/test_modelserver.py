"""Every state of a ModelServer as a file, and whole stories from one version to the next.

Cases hold facts, not bodies. To write the plans anew, as in `test_trainingjob`: TRAINYARD_UPDATE_GOLDEN=1.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.golden.serverworld import ServerWorld, plain
from trainyard.api.modelserver import ModelServerStatus
from trainyard.core.server_record import ServerRecord
from trainyard.core.serving_plan import ApplyDeployment, MoveAlias, ServerPlan

CASES = sorted((Path(__file__).parent / "modelserver").glob("*.yaml"))


def _load(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = yaml.safe_load(path.read_text())
    return case


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_plan_is_as_recorded(path: Path) -> None:
    case = _load(path)
    plan = plain(ServerWorld.load(case).look())
    if os.environ.get("TRAINYARD_UPDATE_GOLDEN"):
        text = yaml.safe_dump({**case, "plan": plan}, sort_keys=False, allow_unicode=True, width=110)
        path.write_text(text)
        return
    assert plan == case["plan"]


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_applied_plan_leaves_nothing_to_do(path: Path) -> None:
    world = ServerWorld.load(_load(path))
    world.apply(world.look())
    again = world.look()
    assert again.empty, plain(again)


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_status_fits_the_api_and_survives_a_round_trip(path: Path) -> None:
    world = ServerWorld.load(_load(path))
    plan = world.look()
    if plan.status is not None:
        ModelServerStatus.strict(dict(plan.status))
        assert ServerRecord.parse(plan.status, world.now).to_status() == dict(plan.status)


def test_every_state_has_a_case() -> None:
    shown = {_load(p)["plan"].get("status", {}).get("state") for p in CASES}
    assert {"Waiting", "RollingOut", "Serving", "Degraded", "Failed"} <= shown


def _world(source: dict[str, Any], **seen: Any) -> ServerWorld:
    return ServerWorld.load({"now": "2026-11-21T12:00:00Z", "source": source, "seen": seen})


def _pin(world: ServerWorld, version: int) -> None:
    world.cr["spec"]["source"] = {"version": str(version)}
    world.cr["metadata"]["generation"] += 1


def _applied(plans: list[ServerPlan]) -> list[int]:
    return [a.release.version for p in plans for a in p.actions if isinstance(a, ApplyDeployment)]


def _moved(plans: list[ServerPlan]) -> list[int]:
    return [a.version for p in plans for a in p.actions if isinstance(a, MoveAlias)]


def _offer(version: int) -> dict[str, Any]:
    return {"version": version, "promoted_by": f"TrainingJob/adult-{version}", "message": "0.9"}


def test_a_promotion_serves_and_a_pin_brings_an_older_version_back() -> None:
    world = _world({"promotions": {}}, offers=[_offer(1)])
    plans = world.settle()
    assert (_applied(plans), _moved(plans)) == ([1], [1])
    assert world.status["servingVersion"] == "1"
    _pin(world, 3)
    assert _moved(world.settle()) == [3]
    _pin(world, 1)
    assert _moved(world.settle()) == [1]
    assert [h["version"] for h in world.status["history"]] == ["1", "3", "1"]
    assert world.status["history"][2]["promotedBy"] == "TrainingJob/adult-1"
    assert all("until" in h for h in world.status["history"][1:])
    assert world.status["state"] == "Serving"


@pytest.mark.parametrize("bad", [{"verify": False}, {"available": False}])
def test_a_bad_version_is_taken_back_once_and_the_alias_stays(bad: dict[str, bool]) -> None:
    world = _world({"version": "1"})
    world.settle()
    _pin(world, 2)
    world.cr["spec"]["rollout"] = {"deadlineSeconds": 10}
    plans = world.settle(**bad) if "verify" in bad else _until_taken_back(world)
    plans += world.settle()
    assert _applied(plans) == [2, 1]
    assert _moved(plans) == []
    assert world.seen.registry is not None
    assert world.seen.registry.champion == 1
    assert world.status["servingVersion"] == world.status["targetVersion"] == "1"
    assert (world.status["state"], world.status["failedTarget"]["version"]) == ("Degraded", "2")
    _pin(world, 3)
    assert _moved(world.settle()) == [3]
    assert "failedTarget" not in world.status


def _until_taken_back(world: ServerWorld) -> list[ServerPlan]:
    """No pod of the new version ever becomes available."""
    from datetime import timedelta

    plans = []
    for _ in range(15):
        plans.append(world.look())
        world.apply(plans[-1])
        if "failedTarget" in world.status:
            break
        world.now += timedelta(seconds=2)
    return plans


def test_another_pin_on_the_way_turns_the_rollout_round() -> None:
    world = _world({"version": "1"})
    world.settle()
    _pin(world, 2)
    world.apply(world.look())
    world.cluster()
    world.apply(world.look())
    assert [v.version for v in world.seen.verifications if not v.over] == [2]
    _pin(world, 3)
    world.apply(world.look())
    assert [v.version for v in world.seen.verifications if not v.over] == []
    assert _moved(world.settle()) == [3]
    assert world.status["servingVersion"] == "3"
    assert [h["version"] for h in world.status["history"]] == ["3", "1"]


def test_more_replicas_are_applied_without_a_new_verification() -> None:
    world = _world({"version": "1"})
    world.settle()
    before = world.seen.verifications
    world.cr["spec"]["replicas"] = 3
    assert world.seen.deployment is not None
    import dataclasses

    world.seen = dataclasses.replace(
        world.seen, deployment=dataclasses.replace(world.seen.deployment, in_order=False)
    )
    plans = world.settle()
    assert (_applied(plans), _moved(plans)) == ([1], [])
    assert world.seen.verifications == before
    assert (world.status["replicas"], world.status["state"]) == (3, "Serving")


@pytest.mark.parametrize("crash", range(1, 12))
def test_a_crash_after_any_pass_or_between_status_and_actions_changes_nothing(crash: int) -> None:
    world = _world({"version": "1"})
    world.settle()
    _pin(world, 2)
    for step in range(20):
        plan = world.look()
        if step == crash and plan.status is not None:
            plan = ServerPlan(status=plan.status)  # died before it acted
        world.apply(plan)
        world.cluster()
        world.mlflow()
    assert world.status["servingVersion"] == "2"
    assert [h["version"] for h in world.status["history"]] == ["2", "1"]
    assert world.aliases == {"champion": 2}


def test_a_failed_offer_is_not_tried_again_and_a_newer_one_is() -> None:
    import dataclasses

    from trainyard.core.serving_observed import OfferFacts

    world = _world({"promotions": {}}, offers=[_offer(1)])
    world.settle()
    offers = tuple(OfferFacts(**_offer(n)) for n in (1, 2))
    world.seen = dataclasses.replace(world.seen, offers=offers)
    assert _applied(world.settle(verify=False)) == [2, 1]
    newer = (*offers, OfferFacts(**_offer(3)))
    world.seen = dataclasses.replace(world.seen, offers=newer)
    assert _applied(world.settle()) == [], "the job of version 2 has not seen its failure yet"
    world.seen = dataclasses.replace(world.seen, offers=newer[2:])
    assert _moved(world.settle()) == [3]
