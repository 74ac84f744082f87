"""Every state of a TrainingJob and of a ModelServer as a file: the world in, the plan out, compared whole.

A case of a TrainingJob holds bodies, one of a ModelServer holds facts. To write the plans anew after a wanted
change: TRAINYARD_UPDATE_GOLDEN=1 pytest tests/golden; read the diff.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.golden.serverworld import ServerWorld
from tests.golden.world import World, plain
from trainyard.api.modelserver import ModelServerStatus
from trainyard.api.states import ServerState, State
from trainyard.api.status import TrainingJobStatus
from trainyard.core.record import Record
from trainyard.core.server_record import ServerRecord

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Kind:
    """What differs between the kinds of cases."""

    world: type[World] | type[ServerWorld]
    status: type[TrainingJobStatus] | type[ModelServerStatus]
    record: type[Record] | type[ServerRecord]
    states: set[str]


KINDS = {
    "trainingjob": Kind(World, TrainingJobStatus, Record, {s.value for s in State}),
    "modelserver": Kind(ServerWorld, ModelServerStatus, ServerRecord, {s.value for s in ServerState}),
}
CASES = sorted(path for kind in KINDS for path in (HERE / kind).glob("*.yaml"))
each_case = pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")


def _load(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = yaml.safe_load(path.read_text())
    return case


def _world(path: Path) -> World | ServerWorld:
    return KINDS[path.parent.name].world.load(_load(path))


@each_case
def test_plan_is_as_recorded(path: Path) -> None:
    plan = plain(_world(path).look())
    case = _load(path)
    if os.environ.get("TRAINYARD_UPDATE_GOLDEN"):
        text = yaml.safe_dump({**case, "plan": plan}, sort_keys=False, allow_unicode=True, width=110)
        path.write_text(text)
        return
    assert plan == case["plan"]


@each_case
def test_applied_plan_leaves_nothing_to_do(path: Path) -> None:
    world = _world(path)
    world.apply(world.look())
    again = world.look()
    assert again.empty, plain(again)


@each_case
def test_status_fits_the_api_and_survives_a_round_trip(path: Path) -> None:
    kind, world = KINDS[path.parent.name], _world(path)
    plan = world.look()
    if plan.status is not None:
        kind.status.strict(dict(plan.status))
        assert not {"progress", "trials"} & set(plan.status), "the coordinator's part"
        assert kind.record.parse(plan.status, world.now).to_status() == dict(plan.status)


@pytest.mark.parametrize("name", KINDS)
def test_every_state_has_a_case(name: str) -> None:
    plans = [_load(path)["plan"] for path in CASES if path.parent.name == name]
    assert {plan["status"]["state"] for plan in plans if "status" in plan} == KINDS[name].states
