"""The work queue: keys, not events. A key waits at most once and runs at most once at a time.

The first event of an idle key runs at once; what follows within the window is taken together. A failing key
waits longer each time, without holding up others.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
log = logging.getLogger(__name__)

WINDOW = 0.2
BACKOFF_FIRST, BACKOFF_MAX = 0.5, 60.0


@dataclass(slots=True)
class _Entry:
    """What the queue knows of one key."""

    queued: bool = False
    running: bool = False
    again: bool = False
    last_start: float = float("-inf")
    failures: int = 0
    timer: asyncio.TimerHandle | None = None
    due: float = float("inf")


class WorkQueue(Generic[K]):
    """Runs `work(key)`; what it returns is the delay after which the key is due again, or None.

    Not thread-safe: other threads go through `loop.call_soon_threadsafe`.
    """

    def __init__(
        self,
        work: Callable[[K], Awaitable[float | None]],
        *,
        concurrency: int = 16,
        window: float = WINDOW,
        depth: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._work = work
        self._concurrency = concurrency
        self._window = window
        self._depth = depth
        self._entries: dict[K, _Entry] = {}
        self._ready: asyncio.PriorityQueue[tuple[bool, int, K]] = asyncio.PriorityQueue()
        self._numbers = itertools.count()

    def add(self, key: K) -> None:
        """Something happened to a key."""
        entry = self._entries.setdefault(key, _Entry())
        if entry.running:
            entry.again = True
        elif not entry.queued:
            self._due_at(key, entry, max(self._now(), entry.last_start + self._window))

    def add_after(self, key: K, delay: float) -> None:
        """Make a key due later; an earlier date stands."""
        entry = self._entries.setdefault(key, _Entry())
        if not entry.queued:
            self._due_at(key, entry, max(self._now() + delay, entry.last_start + self._window))

    def forget(self, key: K) -> None:
        """The object is gone: drop what is remembered about its key."""
        entry = self._entries.get(key)
        if entry is None or entry.running or entry.queued:
            return
        if entry.timer is not None:
            entry.timer.cancel()
        del self._entries[key]

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._concurrency):
                group.create_task(self._worker())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _due_at(self, key: K, entry: _Entry, when: float) -> None:
        if entry.timer is not None:
            if entry.due <= when:
                return
            entry.timer.cancel()
            entry.timer = None
        if when <= self._now():
            self._push(key, entry)
            return
        entry.due = when
        entry.timer = asyncio.get_running_loop().call_at(when, self._fire, key, entry)

    def _fire(self, key: K, entry: _Entry) -> None:
        entry.timer = None
        if entry.running:
            entry.again = True
        elif not entry.queued:
            self._push(key, entry)

    def _push(self, key: K, entry: _Entry) -> None:
        entry.queued = True
        entry.due = float("inf")
        # A key that never ran goes first: in a burst, news of old jobs must not delay the start of new ones.
        self._ready.put_nowait((entry.last_start > float("-inf"), next(self._numbers), key))
        self._depth(self._ready.qsize())

    async def _worker(self) -> None:
        while True:
            _, _, key = await self._ready.get()
            self._depth(self._ready.qsize())
            await self._once(key, self._entries[key])

    async def _once(self, key: K, entry: _Entry) -> None:
        entry.queued, entry.running, entry.again = False, True, False
        entry.last_start = self._now()
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        delay: float | None
        try:
            delay = await self._work(key)
            entry.failures = 0
        except Exception as error:
            entry.failures += 1
            delay = self._penalty(key, entry.failures, error)
        finally:
            entry.running = False
        if entry.again:
            self._due_at(key, entry, entry.last_start + self._window)
        if delay is not None:
            self.add_after(key, delay)

    def _penalty(self, key: K, failures: int, error: Exception) -> float:
        asked: float | None = getattr(error, "retry_after", None)
        delay = max(min(BACKOFF_FIRST * 2.0 ** min(failures - 1, 16), BACKOFF_MAX), asked or 0.0)
        expected = hasattr(error, "retry_after")
        log.log(
            logging.WARNING if expected else logging.ERROR,
            "reconcile failed; next try in %.1f s: %s",
            delay,
            error if expected else repr(error),
            exc_info=None if expected else error,
            extra={"key": str(key)},
        )
        return delay
