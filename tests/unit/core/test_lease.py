"""Who may take the Lease, and what is written then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trainyard.core.lease import LEASE_SECONDS, WRITE_SECONDS, holder, may_take, released, taken

NOW = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)


def held(by: str, version: str = "7") -> dict[str, Any]:
    lease = taken(None, "ns", "operator", by, NOW)
    lease["metadata"]["resourceVersion"] = version
    return lease


@pytest.mark.parametrize(
    ("lease", "unchanged", "may"),
    [
        (None, 0.0, True),
        (held("a"), 0.0, True),
        (held("b"), LEASE_SECONDS - 0.1, False),
        (held("b"), LEASE_SECONDS, True),
        (released(held("b"), NOW), 0.0, True),
        ({"metadata": {}, "spec": None}, 0.0, True),
    ],
)
def test_a_lease_is_free_when_nobody_renews_it(lease: Any, unchanged: float, may: bool) -> None:
    assert may_take(lease, "a", unchanged) is may


def test_its_own_duration_counts_even_if_another_version_of_us_wrote_it() -> None:
    lease = held("b")
    lease["spec"]["leaseDurationSeconds"] = 40
    assert not may_take(lease, "a", 39.0)
    assert may_take(lease, "a", 40.0)


def test_a_renewal_keeps_when_it_was_acquired_and_a_takeover_counts() -> None:
    mine = taken(held("a"), "ns", "operator", "a", NOW + timedelta(seconds=2))
    assert mine["spec"]["acquireTime"] == "2026-01-02T03:04:05.678900Z"
    assert mine["spec"]["renewTime"] == "2026-01-02T03:04:07.678900Z"
    assert mine["spec"]["leaseTransitions"] == 0
    theirs = taken(mine, "ns", "operator", "b", NOW + timedelta(seconds=30))
    assert (holder(theirs), theirs["spec"]["leaseTransitions"]) == ("b", 1)
    assert theirs["spec"]["acquireTime"] == theirs["spec"]["renewTime"]
    assert theirs["metadata"]["resourceVersion"] == "7"


def test_writes_end_before_anybody_else_can_begin() -> None:
    assert WRITE_SECONDS < LEASE_SECONDS
