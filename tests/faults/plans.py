"""What can go wrong between the operator and the API server, once at every place of a golden run.

The method is Sieve's (OSDI 2022: intermediate, stale and unobserved states), with a proxy in place of changed
source: writes and watch events of one undisturbed run are counted, so coverage is a ratio with a denominator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """A kind of fault."""

    NONE = "none"
    CRASH_BEFORE = "crash before write"
    CRASH_AFTER = "crash after write"
    LOST = "response lost"
    CONFLICT = "409"
    UNPROCESSABLE = "422"
    THROTTLED = "429"
    INTERNAL = "500"
    UNAVAILABLE = "503"
    TIMEOUT = "504"
    DROPPED = "event dropped"
    DELAYED = "event delayed"
    DOUBLED = "event doubled"
    REPLAYED = "old version replayed"
    ERROR = "error in the stream"
    CUT = "line cut"
    STALLED = "stream stalled"
    CLOSED = "watch closed at once"
    GONE = "410, a deletion inside the gap"
    UNAUTHORIZED = "401 for a while"
    FORBIDDEN = "403 for a while"


OF_WRITES = (
    Fault.CRASH_BEFORE,
    Fault.CRASH_AFTER,
    Fault.LOST,
    Fault.CONFLICT,
    Fault.UNPROCESSABLE,
    Fault.THROTTLED,
    Fault.INTERNAL,
    Fault.UNAVAILABLE,
    Fault.TIMEOUT,
)
OF_EVENTS = (Fault.DROPPED, Fault.DELAYED, Fault.DOUBLED, Fault.REPLAYED)
OF_STREAMS = (Fault.ERROR, Fault.CUT, Fault.STALLED, Fault.CLOSED)
OUTAGES = (Fault.UNAUTHORIZED, Fault.FORBIDDEN)
CODES = {
    Fault.CONFLICT: (409, "Conflict"),
    Fault.UNPROCESSABLE: (422, "Invalid"),
    Fault.THROTTLED: (429, "TooManyRequests"),
    Fault.INTERNAL: (500, "InternalError"),
    Fault.UNAVAILABLE: (503, "ServiceUnavailable"),
    Fault.TIMEOUT: (504, "Timeout"),
    Fault.UNAUTHORIZED: (401, "Unauthorized"),
    Fault.FORBIDDEN: (403, "Forbidden"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One fault at one place.

    Attributes:
        fault: What goes wrong.
        at: Number of the write, or of the event in its stream, from 1.
        stream: Plural of the watched resource, for events and streams.
    """

    fault: Fault = Fault.NONE
    at: int = 0
    stream: str = ""

    def __str__(self) -> str:
        """As people read it."""
        place = f" {self.at}" if self.at else ""
        return f"{self.fault}{place}{f' of {self.stream}' if self.stream else ''}"


@dataclass(slots=True)
class Trace:
    """What went through the proxy.

    Attributes:
        writes: What each counted write was, in order: verb, resource and name.
        made: How often each child was created, by resource and name.
        removed: Likewise deleted.
        events: Events of each stream.
        reached: Whether the place of the plan was come to.
    """

    writes: list[str] = field(default_factory=list)
    made: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    reached: bool = False


def plans(golden: Trace) -> Iterator[Plan]:
    """Every fault at every place of a golden run."""
    for fault in OF_WRITES:
        for number in range(1, len(golden.writes) + 1):
            yield Plan(fault, number)
    for stream, count in sorted(golden.events.items()):
        for fault in OF_EVENTS:
            for number in range(1, count + 1):
                yield Plan(fault, number, stream)
        for fault in OF_STREAMS:
            yield Plan(fault, max(1, count // 2), stream)
        if stream in ("jobs", "pods"):
            yield Plan(Fault.GONE, 0, stream)
    for fault in OUTAGES:
        yield Plan(fault, max(1, len(golden.writes) // 2))


def spread(all_plans: list[Plan], count: int) -> list[Plan]:
    """So many plans, each kind of fault as often as any other, from all places."""
    by_fault: Mapping[Fault, list[Plan]] = {
        fault: [plan for plan in all_plans if plan.fault is fault] for fault in Fault
    }
    chosen: list[Plan] = []
    turn = 0
    while len(chosen) < min(count, len(all_plans)):
        for found in by_fault.values():
            if turn < len(found) and len(chosen) < count:
                step = max(1, len(found) * 7 // 11)  # other places for other kinds
                chosen.append(found[(turn * step + len(chosen)) % len(found)])
        turn += 1
    return list(dict.fromkeys(chosen))
