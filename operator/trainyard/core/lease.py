"""Who may write: whoever holds one Lease, renews it in time, and lets go of it in time.

Clocks of machines are never compared. A Lease may be taken once its record has stayed the same for its whole
duration on the clock of the one who wants it; its holder writes only so long after its own last renewal that
nobody else can have begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

LEASE_SECONDS = 15
"""Without a renewal for so long, anybody may take the Lease."""
WRITE_SECONDS = 10.0
"""So long after a renewal was sent, its sender may begin a write; the rest is for writes under way."""
RENEW_SECONDS = 2.0
"""Between two renewals, and between two looks at a Lease that somebody else holds."""

Body = dict[str, Any]


def holder(lease: Mapping[str, Any]) -> str:
    """Who holds it; nobody after a release."""
    return str(_spec(lease).get("holderIdentity") or "")


def may_take(lease: Mapping[str, Any] | None, me: str, unchanged_seconds: float) -> bool:
    """Whether `me` may write its name into a Lease that was seen unchanged for so long."""
    if lease is None or holder(lease) in ("", me):
        return True
    return unchanged_seconds >= float(_spec(lease).get("leaseDurationSeconds") or LEASE_SECONDS)


def taken(lease: Mapping[str, Any] | None, namespace: str, name: str, me: str, now: datetime) -> Body:
    """The Lease taken or renewed by `me`; its resourceVersion makes the write fail if another was faster."""
    old = {} if lease is None else dict(_spec(lease))
    mine = lease is not None and holder(lease) == me
    spec = {
        "holderIdentity": me,
        "leaseDurationSeconds": LEASE_SECONDS,
        "acquireTime": old.get("acquireTime") if mine else _micro_time(now),
        "renewTime": _micro_time(now),
        "leaseTransitions": int(old.get("leaseTransitions") or 0) + (0 if mine or lease is None else 1),
    }
    return _lease(lease, namespace, name, spec)


def released(lease: Mapping[str, Any], now: datetime) -> Body:
    """The Lease let go of: the next one need not wait."""
    spec = {**_spec(lease), "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _micro_time(now)}
    meta = lease["metadata"]
    return _lease(lease, meta["namespace"], meta["name"], spec)


def _lease(old: Mapping[str, Any] | None, namespace: str, name: str, spec: Body) -> Body:
    meta = {"namespace": namespace, "name": name} if old is None else dict(old["metadata"])
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}


def _spec(lease: Mapping[str, Any]) -> Mapping[str, Any]:
    found = lease.get("spec")
    return found if isinstance(found, Mapping) else {}


def _micro_time(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
