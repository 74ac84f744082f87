"""What each cause costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from trainyard.api.states import Cause
from trainyard.core.attempts import avoid, charge
from trainyard.core.failures import BUDGETS, REMEDIES, failure
from trainyard.core.policy import read_policy
from trainyard.core.record import Retry

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def _delays(cause: Cause, spec: dict[str, object], *, ran: int = 10, tries: int = 200) -> list[float]:
    """Seconds before each further attempt, until the budget is spent."""
    retry, now, found = Retry(), NOW, []
    for _ in range(tries):
        price = charge(retry, failure(cause, "x"), read_policy(spec), ran, now)
        if price.retry is None:
            break
        assert price.retry.not_before is not None
        found.append((price.retry.not_before - now).total_seconds())
        retry, now = price.retry, price.retry.not_before + timedelta(seconds=ran)
    return found


def test_nodes_that_failed_are_avoided_the_latest_ones() -> None:
    retry = Retry()
    for cause, node in [
        (Cause.NODE_LOST, "a"),
        (Cause.EVICTED, "b"),
        (Cause.DISRUPTED, "drained"),
        (Cause.NODE_LOST, ""),
        (Cause.NODE_LOST, "a"),
    ]:
        price = charge(retry, replace(failure(cause, "x"), node=node), read_policy({}), 10, NOW)
        assert price.retry is not None
        retry = price.retry
    assert retry.excluded_nodes == ("b", "a")
    for number in range(40):
        retry = avoid(retry, replace(failure(Cause.NODE_LOST, "x"), node=f"n{number}"))
    assert retry.excluded_nodes == tuple(f"n{number}" for number in range(24, 40))


def test_every_cause_has_a_budget_and_a_remedy() -> None:
    assert set(BUDGETS) == set(REMEDIES) == set(Cause)


@pytest.mark.parametrize(
    "cause", [Cause.INVALID_SPEC, Cause.DATA_ERROR, Cause.NOT_ALLOWED, Cause.DEADLINE_EXCEEDED]
)
def test_users_errors_are_never_retried(cause: Cause) -> None:
    assert _delays(cause, {}) == []


def test_unknown_failures_back_off_within_the_limit() -> None:
    assert _delays(Cause.KILLED, {}) == [10, 20, 40]
    assert _delays(Cause.UNKNOWN, {"runPolicy": {"backoffLimit": 0}}) == []
    assert max(_delays(Cause.UNKNOWN, {"runPolicy": {"backoffLimit": 9}})) == 360


def test_dependencies_are_waited_for_an_hour() -> None:
    delays = _delays(Cause.DEPENDENCY_DOWN, {})
    assert delays[:7] == [5, 10, 20, 40, 60, 60, 60]
    assert 3400 <= sum(delays) + 10 * len(delays) <= 3660


def test_a_long_run_between_outages_starts_the_hour_anew() -> None:
    assert set(_delays(Cause.DEPENDENCY_DOWN, {}, ran=500)) == {5}


def test_disruptions_are_free_and_without_end() -> None:
    assert len(_delays(Cause.DISRUPTED, {"runPolicy": {"backoffLimit": 0}})) == 200


def test_memory_is_raised_once_and_only_when_allowed() -> None:
    assert _delays(Cause.OOM_KILLED, {}) == []
    policy = {
        "runPolicy": {"onOOM": {"memoryFactor": 1.5}},
        "compute": {"resources": {"limits": {"memory": "8Gi"}}},
    }
    assert len(_delays(Cause.OOM_KILLED, policy)) == 1
    price = charge(Retry(), failure(Cause.OOM_KILLED, "x"), read_policy(policy), 0, NOW)
    assert price.retry is not None
    assert price.retry.memory == "12288Mi"


def test_memory_stops_at_its_maximum() -> None:
    spec = {"runPolicy": {"onOOM": {"memoryFactor": 2.0, "maxMemory": "4Gi"}}}
    assert _delays(Cause.OOM_KILLED, spec) == []
