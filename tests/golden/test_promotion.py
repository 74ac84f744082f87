"""Promotion: training stays over, and the gate is judged once; single states are in `test_cases`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.golden.promotionworld import PromotionWorld
from tests.golden.world import World
from trainyard.core.plan import CreateConfigMap, CreateJob
from trainyard.core.standing import Standing


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parent / "promotion").glob("*.yaml")), ids=lambda p: p.stem
)
def test_training_stays_over(path: Path) -> None:
    world = PromotionWorld.load(yaml.safe_load(path.read_text()))
    assert world.cr is not None
    plan = world.look()
    assert not any(isinstance(a, CreateJob | CreateConfigMap) for a in plan.actions)
    if plan.status is not None:
        assert plan.status["state"] == world.cr["status"]["state"]
        promotion = plan.status.get("promotion", {})
        assert Standing.parse(promotion).to_dict() == promotion


def test_the_gate_is_judged_once() -> None:
    world = PromotionWorld.load({"now": "2026-11-21T12:01:00Z", "promotion": {"registry": {}}})
    world.apply(world.look())
    better = {"number": 1, "uid": "other", "holdout_digest": "h", "metrics": {"test_roc_auc": 0.99}}
    own = {"number": 2, "uid": "cr-uid", "holdout_digest": "h", "metrics": {"test_roc_auc": 0.95}}
    later = {"registry": {"claim": "team-a/income", "versions": [better, own], "aliases": {"champion": 1}}}
    world.promotion = World.load({"now": "2026-11-21T12:01:00Z", "promotion": later}).promotion
    world.apply(world.look())
    assert world.cr is not None
    assert world.cr["status"]["promotion"]["state"] == "RollingOut"
    assert world.cr["status"]["promotion"]["version"] == "2"
