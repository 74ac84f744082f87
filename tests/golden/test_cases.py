"""Each state of a TrainingJob, its promotion, a ModelServer as a file: world in, plan out, compared whole.

Cases of a TrainingJob hold bodies, those of a ModelServer hold facts. To write the plans anew after a wanted
change: TRAINYARD_UPDATE_GOLDEN=1 pytest tests/golden; read the diff.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest
import yaml

from tests.golden.promotionworld import PromotionWorld
from tests.golden.serverworld import ServerWorld
from tests.golden.world import Body, World, plain
from trainyard.api.modelserver import ModelServerStatus
from trainyard.api.states import PromotionState, ServerState, State
from trainyard.api.status import TrainingJobStatus
from trainyard.core.plan import Plan
from trainyard.core.record import Record
from trainyard.core.server_record import ServerRecord
from trainyard.core.serving_plan import ServerPlan

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Kind:
    """What differs between the kinds of cases."""

    world: type[World] | type[ServerWorld]
    status: type[TrainingJobStatus] | type[ModelServerStatus]
    record: type[Record] | type[ServerRecord]
    states: type[StrEnum]
    told: tuple[str, ...] = ()
    """The parts of the status that a file holds; all of them when empty."""

    def plain(self, plan: Plan | ServerPlan) -> Body:
        """A plan as it stands in a file."""
        body = plain(plan)
        if self.told and "status" in body:
            body["status"] = {k: v for k, v in body["status"].items() if k in self.told}
        return body


KINDS = {
    "trainingjob": Kind(World, TrainingJobStatus, Record, State),
    "promotion": Kind(
        PromotionWorld, TrainingJobStatus, Record, PromotionState, ("state", "promotion", "conditions")
    ),
    "modelserver": Kind(ServerWorld, ModelServerStatus, ServerRecord, ServerState),
}
CASES = sorted(path for kind in KINDS for path in (HERE / kind).glob("*.yaml"))
each_case = pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")


def _load(path: Path) -> Body:
    case: Body = yaml.safe_load(path.read_text())
    return case


def _world(path: Path) -> World | ServerWorld:
    return KINDS[path.parent.name].world.load(_load(path))


@each_case
def test_plan_is_as_recorded(path: Path) -> None:
    case, plan = _load(path), KINDS[path.parent.name].plain(_world(path).look())
    if os.environ.get("TRAINYARD_UPDATE_GOLDEN"):
        text = yaml.safe_dump({**case, "plan": plan}, sort_keys=False, allow_unicode=True, width=110)
        path.write_text(text)
        return
    assert plan == case["plan"]


@each_case
def test_applied_plan_leaves_nothing_to_do(path: Path) -> None:
    world = _world(path)
    plan = world.look()
    world.apply(plan)
    if plan.requeue_after == 0.0:  # a step of several, the next one at once
        world.apply(world.look())
    again = world.look()
    assert again.empty, plain(again)
    if isinstance(world, World):
        status = (
            Record.parse(world.cr["status"], world.now) if world.cr and "status" in world.cr else Record()
        )
        over = status.terminal or status.state is State.SUSPENDED
        assert world.networks <= (set() if over else {status.attempt}), "a Service outlived its attempt"


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
    shown = [_load(path)["plan"].get("status", {}) for path in CASES if path.parent.name == name]
    parts = [status.get("promotion", {}) if name == "promotion" else status for status in shown]
    assert {part["state"] for part in parts if "state" in part} == set(KINDS[name].states)
