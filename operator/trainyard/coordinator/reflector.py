"""A local copy of some of the API server's objects: LIST once, then WATCH, for ever.

Only what `project` keeps of each object is held. The loop outlives everything an API server does: a stream
that ends or breaks goes on from the last seen version, an expired version (410) is listed anew, an API
server that is away is asked again with growing pauses. Between those the copy is old, never wrong about its
own past.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from trainyard.coordinator.kube import Body, Kube, KubeError

T = TypeVar("T")
log = logging.getLogger(__name__)
PAGE = 500
LONGEST_PAUSE = 30.0
SHORTEST_WATCH = 1.0


class ExpiredError(Exception):
    """The version to go on from is gone: list anew."""


class Reflector(Generic[T]):
    """The objects of one path that carry one label, by uid."""

    def __init__(
        self,
        kube: Kube,
        path: str,
        project: Callable[[Body], T],
        *,
        selector: str = "",
        on_restart: Callable[[], None] = lambda: None,
    ) -> None:
        self._kube = kube
        self._path = path
        self._project = project
        self._params: dict[str, Any] = {"labelSelector": selector} if selector else {}
        self._on_restart = on_restart
        self.items: dict[str, T] = {}
        self.synced = asyncio.Event()
        self.last_contact = 0.0

    async def run(self) -> None:
        """Follow the API server until cancelled."""
        version: str | None = None
        failures = 0
        while True:
            try:
                if version is None:
                    version = await self._list()
                version = await self._follow(version)
                failures = 0
            except ExpiredError:
                version = None
            except KubeError as error:
                # Everything but a broken connection means that our version may be the problem.
                version = None if error.status else version
                failures += 1
                log.warning("watch of %s: %s; trying again", self._path, error)
                await asyncio.sleep(pause(failures))
            except ValueError as error:  # one line longer than the buffer
                version = None
                failures += 1
                log.warning("watch of %s: %s; listing anew", self._path, error)
                await asyncio.sleep(pause(failures))
            self._on_restart()

    async def _list(self) -> str:
        found: dict[str, T] = {}
        params = {**self._params, "limit": PAGE}
        while True:
            page = await self._kube.get(self._path, params)
            for item in page.get("items") or []:
                found[item["metadata"]["uid"]] = self._project(item)
            token = page["metadata"].get("continue")
            if not token:
                break
            params = {**params, "continue": token}
        self.items = found
        self.last_contact = time.monotonic()
        self.synced.set()
        return str(page["metadata"]["resourceVersion"])

    async def _follow(self, version: str) -> str:
        """Apply events until the stream ends; return the version to go on from."""
        last = version
        began = time.monotonic()
        try:
            stream = self._kube.watch(self._path, {**self._params, "resourceVersion": version})
            async with contextlib.aclosing(stream) as events:
                async for event in events:
                    last = self._take(event, last)
        except KubeError as error:
            if error.status == 410:
                raise ExpiredError from error
            if error.status or last == version:
                raise
            log.info("watch of %s: %s; going on from version %s", self._path, error, last)
        if time.monotonic() - began < SHORTEST_WATCH:
            await asyncio.sleep(SHORTEST_WATCH)  # something on the way cuts streams at once
        return last

    def _take(self, event: Body, last: str) -> str:
        kind, item = event.get("type"), event.get("object") or {}
        self.last_contact = time.monotonic()
        if kind == "ERROR":
            if item.get("code") == 410:
                raise ExpiredError
            raise KubeError(int(item.get("code") or 500), str(item.get("message")))
        meta = item["metadata"]
        if kind == "DELETED":
            self.items.pop(meta["uid"], None)
        elif kind in {"ADDED", "MODIFIED"}:
            self.items[meta["uid"]] = self._project(item)
        return str(meta.get("resourceVersion") or last)


def pause(failures: int) -> float:
    """Seconds to wait after the given number of failures in a row: doubling, jittered, bounded."""
    return min(LONGEST_PAUSE, 0.5 * 2.0 ** min(failures - 1, 10)) * random.uniform(0.5, 1.0)
