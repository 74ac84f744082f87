"""Upkeep of metav1.Condition lists, and the times and texts of a status.

The words themselves (states, types, reasons, causes) are contract and live in `trainyard.api.states`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from trainyard.api.states import ConditionType


@dataclass(frozen=True, slots=True)
class Condition:
    """A metav1.Condition."""

    type: str
    status: bool
    reason: str
    message: str
    generation: int
    since: datetime

    def to_dict(self) -> dict[str, Any]:
        """As it stands in a status."""
        return {
            "type": self.type,
            "status": "True" if self.status else "False",
            "reason": self.reason,
            "message": self.message,
            "observedGeneration": self.generation,
            "lastTransitionTime": format_time(self.since),
        }


def upkeep(conditions: tuple[Condition, ...], new: Condition) -> tuple[Condition, ...]:
    """Put a condition into the list; its transition time moves only when its status does."""
    for index, old in enumerate(conditions):
        if old.type == new.type:
            kept = replace(new, since=old.since) if old.status == new.status else new
            return (*conditions[:index], kept, *conditions[index + 1 :])
    return (*conditions, new)


def find(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """The condition of a type, if it was ever written."""
    return next((c for c in conditions if c.type == kind), None)


def is_true(conditions: Iterable[Condition], kind: ConditionType) -> bool:
    """Whether a condition was written and holds."""
    found = find(conditions, kind)
    return found is not None and found.status


def parse_conditions(value: object, now: datetime) -> tuple[Condition, ...]:
    """Read the list of a status; entries that are not conditions are dropped."""
    if not isinstance(value, list):
        return ()
    found: dict[str, Condition] = {}
    for entry in value:
        if isinstance(entry, Mapping) and isinstance(entry.get("type"), str) and entry["type"] not in found:
            generation = entry.get("observedGeneration")
            found[entry["type"]] = Condition(
                type=entry["type"],
                status=entry.get("status") == "True",
                reason=str(entry.get("reason", "")),
                message=str(entry.get("message", "")),
                generation=generation if isinstance(generation, int) else 0,
                since=parse_time(entry.get("lastTransitionTime")) or now,
            )
    return tuple(found.values())


def parse_time(value: object) -> datetime | None:
    """Read an RFC 3339 time; anything else is no time.

    >>> parse_time("2026-11-21T14:00:00Z").isoformat()
    '2026-11-21T14:00:00+00:00'
    """
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def format_time(value: datetime) -> str:
    """Write a time as metav1.Time does: UTC, whole seconds."""
    return value.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def clip(text: str, limit: int = 1000) -> str:
    """Cut a text to what the schema of the status allows; the end tells that something is missing."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def sentences(*parts: str) -> str:
    """Join texts into one message, each ended as a sentence.

    >>> sentences("column x is missing", "", "Add it.")
    'column x is missing. Add it.'
    """
    stripped = (part.strip() for part in parts)
    return " ".join(p if p.endswith((".", "!", "?")) else f"{p}." for p in stripped if p)
