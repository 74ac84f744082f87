"""Whole stories of a ModelServer, from one version to the next; its single states are in `test_cases`."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from tests.golden.serverworld import ServerWorld
from trainyard.core.serving_observed import OfferFacts
from trainyard.core.serving_plan import ApplyDeployment, MoveAlias, ServerPlan


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
