"""The decision about a ModelServer: what serves is kept, what should serve is rolled out and verified first.

Total and pure, and every step is read off the status and the world, so that it goes on after any crash:
target written -> Deployment pinned to the release -> every pod available -> verify Job through the Service ->
alias `champion` moved -> status. Whatever goes wrong before the alias moves brings the serving version back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from trainyard.api.states import Reason, ServerState
from trainyard.core import server_rollout, server_steady
from trainyard.core.resource import ModelServer
from trainyard.core.server_case import Knobs, ServerCase
from trainyard.core.server_record import ServerRecord
from trainyard.core.server_target import POLL, Choice, choose
from trainyard.core.serving_observed import ServerObserved
from trainyard.core.serving_plan import ServerPlan

CONFLICT_RETRY = 30.0


def decide_server(server: ModelServer, observed: ServerObserved, now: datetime) -> ServerPlan:
    """Decide what to do about a ModelServer.

    Args:
        server: the object as it is now.
        observed: registry, offers and children.
        now: the time, with a zone.
    """
    if server.deleting or not server.uid:
        return ServerPlan()
    record = ServerRecord.parse(server.status, now)
    case = ServerCase(server, Knobs.read(server.spec), record, record, observed, now)
    choice = choose(case)
    plans = (step(case, choice) for step in _STEPS)
    return next((plan for plan in plans if plan is not None), ServerPlan())


def _conflicted(case: ServerCase, _: Choice) -> ServerPlan | None:
    """A child of our name that is somebody else's is left alone, and nothing is done until it is gone."""
    if not case.observed.foreign:
        return None
    message = f"{case.observed.foreign} belongs to somebody else; delete it, and this goes on by itself."
    record = case.moved(_troubled(case), Reason.NAME_CONFLICT.value, message)
    return case.plan(record, requeue=CONFLICT_RETRY)


def _refused(case: ServerCase, _: Choice) -> ServerPlan | None:
    """The API server refused a child in this pass; it is tried again, so that a raised quota helps."""
    if not case.observed.refused:
        return None
    message = f"The API server refuses a child: {case.observed.refused}. It is tried again."
    record = case.moved(_troubled(case), Reason.POD_REJECTED.value, message)
    return case.plan(record, requeue=CONFLICT_RETRY)


def _unanswered(case: ServerCase, _: Choice) -> ServerPlan | None:
    """An alias that is followed is read from MLflow; its answer is a moment away."""
    waits = case.knobs.source == "follow" and case.observed.registry is None
    return ServerPlan(requeue_after=POLL) if waits else None


def _rolling_out(case: ServerCase, choice: Choice) -> ServerPlan | None:
    if choice.version is None or choice.version == case.record.serving:
        return None
    return server_rollout.roll_out(case, choice, choice.version)


def _troubled(case: ServerCase) -> ServerState:
    """A state for what keeps us from doing anything."""
    return ServerState.DEGRADED if case.record.serving is not None else ServerState.WAITING


_STEPS: tuple[Callable[[ServerCase, Choice], ServerPlan | None], ...] = (
    _conflicted,
    _refused,
    _unanswered,
    _rolling_out,
    server_steady.rest,
)
