"""Upkeep of conditions, times and quantities."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta

import pytest

from trainyard.core import conditions, quantity
from trainyard.core.conditions import Condition, parse_conditions, parse_time, upkeep

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def _condition(status: bool, message: str, since: datetime) -> Condition:
    return Condition("Running", status, "Training", message, 1, since)


def test_transition_time_moves_only_with_the_status() -> None:
    later = NOW + timedelta(minutes=5)
    first = upkeep((), _condition(True, "a", NOW))
    reworded = upkeep(first, _condition(True, "b", later))
    assert reworded == (_condition(True, "b", NOW),)
    assert upkeep(reworded, _condition(False, "b", later)) == (_condition(False, "b", later),)


def test_order_is_kept() -> None:
    two = (_condition(True, "a", NOW), Condition("Failed", False, "x", "y", 1, NOW))
    assert [c.type for c in upkeep(two, _condition(False, "c", NOW))] == ["Running", "Failed"]


@pytest.mark.parametrize("value", [None, 1, "x", [1, "x", {}, {"type": 3}]])
def test_garbage_is_no_condition(value: object) -> None:
    assert parse_conditions(value, NOW) == ()


@pytest.mark.parametrize("value", [None, "", "yesterday", 5, "0001-13-01T00:00:00Z"])
def test_garbage_is_no_time(value: object) -> None:
    assert parse_time(value) is None


@pytest.mark.parametrize("module", [conditions, quantity])
def test_examples_in_docstrings(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
