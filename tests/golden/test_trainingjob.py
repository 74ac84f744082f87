"""Every state of a TrainingJob as a file: the world in, the Plan out, compared whole.

To write the Plans anew after a wanted change: TRAINYARD_UPDATE_GOLDEN=1 pytest tests/golden; read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.golden.world import World, plain
from trainyard.api.status import TrainingJobStatus
from trainyard.core.record import Record

CASES = sorted((Path(__file__).parent / "trainingjob").glob("*.yaml"))


def _load(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = yaml.safe_load(path.read_text())
    return case


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_plan_is_as_recorded(path: Path) -> None:
    case = _load(path)
    plan = plain(World.load(case).look())
    if os.environ.get("TRAINYARD_UPDATE_GOLDEN"):
        text = yaml.safe_dump({**case, "plan": plan}, sort_keys=False, allow_unicode=True, width=110)
        path.write_text(text)
        return
    assert plan == case["plan"]


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_applied_plan_leaves_nothing_to_do(path: Path) -> None:
    world = World.load(_load(path))
    world.apply(world.look())
    again = world.look()
    assert again.empty, plain(again)


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_status_fits_the_api_and_leaves_the_coordinators_part(path: Path) -> None:
    plan = World.load(_load(path)).look()
    if plan.status is not None:
        TrainingJobStatus.strict(dict(plan.status))
        assert not {"progress", "trials"} & set(plan.status)


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_record_survives_a_round_trip(path: Path) -> None:
    world = World.load(_load(path))
    plan = world.look()
    if plan.status is not None:
        assert Record.parse(plan.status, world.now).to_status() == dict(plan.status)


def test_every_state_has_a_case() -> None:
    shown = {_load(p)["plan"].get("status", {}).get("state") for p in CASES}
    assert {"Pending", "Suspended", "Starting", "Running", "Restarting", "Succeeded", "Failed"} <= shown
