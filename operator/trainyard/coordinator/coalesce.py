"""The newest value of each key, let out seldom: the first at once, then one an interval, none lost.

Pure: time is a function that is passed in, and what is done with a value is the caller's affair.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V | None
    not_before: float
    out: bool = False
    """A value of this key was taken and its fate is not known yet."""
    first: bool = True
    """No value of this key was taken yet."""


class Coalescer(Generic[K, V]):
    """Values by key, each key let out at most once an interval.

    `take` hands out what is due; the caller then says `done` or `failed`. Between the two the key waits, so
    one key is never handed out twice at a time.
    """

    def __init__(self, interval: float, clock: Callable[[], float]) -> None:
        self._interval = interval
        self._clock = clock
        self._entries: dict[K, _Entry[V]] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._serial = 0

    def __len__(self) -> int:
        return sum(1 for entry in self._entries.values() if entry.value is not None)

    def put(self, key: K, value: V, *, now: bool = False, patience: float = 0.0) -> None:
        """Set the newest value of a key.

        `now` lets it out without waiting for the interval to end; `patience` is how long the very first value
        waits for one that says more.
        """
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(None, self._clock() + patience)
        before = entry.not_before if entry.value is not None else None
        entry.value = value
        if now:
            entry.not_before = self._clock()
        elif entry.first:
            entry.not_before = min(entry.not_before, self._clock() + patience)
        if entry.not_before != before:
            self._push(key, entry)

    def drop(self, key: K) -> None:
        """Forget a key and its value."""
        self._entries.pop(key, None)

    def next_due(self) -> float | None:
        """When `take` will next have something, or None."""
        self._skim()
        return self._heap[0][0] if self._heap else None

    def take(self, *, everything: bool = False) -> list[tuple[K, V]]:
        """The values that are due, or all that wait when the process ends."""
        now = self._clock()
        taken: list[tuple[K, V]] = []
        while (due := self.next_due()) is not None and (everything or due <= now):
            key = heapq.heappop(self._heap)[2]
            entry = self._entries[key]
            if entry.value is not None:
                taken.append((key, entry.value))
                entry.value, entry.out, entry.first = None, True, False
                entry.not_before = now + self._interval
        return taken

    def done(self, key: K) -> None:
        """The value taken last was dealt with."""
        if entry := self._entries.get(key):
            entry.out = False
            if entry.value is not None:
                self._push(key, entry)

    def failed(self, key: K, value: V) -> None:
        """The value taken last was not dealt with: it waits again, unless a newer one does."""
        if entry := self._entries.get(key):
            entry.value = value if entry.value is None else entry.value
            self.done(key)

    def forget_idle(self) -> None:
        """Drop keys that have nothing to say and could speak at once: a new value makes them anew."""
        now = self._clock()
        idle = [k for k, e in self._entries.items() if e.value is None and not e.out and e.not_before <= now]
        for key in idle:
            del self._entries[key]

    def _push(self, key: K, entry: _Entry[V]) -> None:
        if not entry.out:
            self._serial += 1
            heapq.heappush(self._heap, (entry.not_before, self._serial, key))

    def _skim(self) -> None:
        """Remove heap entries that no longer stand for a waiting value."""
        while self._heap:
            when, _, key = self._heap[0]
            entry = self._entries.get(key)
            if entry is not None and entry.value is not None and not entry.out and entry.not_before == when:
                return
            heapq.heappop(self._heap)
