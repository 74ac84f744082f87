"""Which watches are open, told by their own requests: that kopf runs does not say that anything arrives.

kopf opens a silent watch anew (`Settings.watch_silence_seconds`), so one that is stalled, cut off or refused
is one whose request is not answered. Written in kopf's thread and read in the main one, a key at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import kopf

from trainyard.controller.handlers import PLURALS

GRACE = 20.0
"""Seconds for which a watch may be on its way: kopf's pauses between two tries, and a busy API server."""
SERVER_TIMEOUT = 600
"""Seconds after which the API server ends a watch, and kopf opens the next one."""


class Watches:
    """The watch of each resource in each namespace."""

    def __init__(self, expected: int, silence: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._expected = expected
        self._grace = min(GRACE, silence)
        self._oldest = SERVER_TIMEOUT + silence + self._grace
        self._clock = clock
        self._asked: dict[str, float] = {}
        self._opened: dict[str, float] = {}

    def forget(self) -> None:
        """All of them ended with kopf."""
        self._asked, self._opened = {}, {}

    def asked(self, path: str) -> None:
        """A watch, or the listing before it, is asked for."""
        self._asked.setdefault(path, self._clock())

    def opened(self, path: str) -> None:
        """The API server has begun to answer a watch."""
        self._asked.pop(path, None)
        self._opened[path] = self._clock()

    def trouble(self) -> str:
        """What is wrong with them; nothing when all are open."""
        now, opened = self._clock(), dict(self._opened)
        if len(opened) < self._expected:
            return "the watches are not up yet"
        down = {path: since for path, since in list(self._asked.items()) if now - since > self._grace}
        down |= {path: since for path, since in opened.items() if now - since > self._oldest}
        if not down:
            return ""
        path = min(down, key=lambda key: (down[key], key))
        return (
            f"{len(down)} of {len(opened)} watches are down, {path} for {now - down[path]:.0f} s: "
            "is the API server up, and may the operator still watch?"
        )

    def trace(self) -> aiohttp.TraceConfig:
        """What a session has to tell."""

        async def begins(_: Any, __: Any, request: aiohttp.TraceRequestStartParams) -> None:
            if request.url.name in PLURALS:
                self.asked(request.url.path)

        async def answered(_: Any, __: Any, request: aiohttp.TraceRequestEndParams) -> None:
            if request.url.name in PLURALS and "watch" in request.url.query and request.response.ok:
                self.opened(request.url.path)

        config = aiohttp.TraceConfig()
        config.on_request_start.append(begins)
        config.on_request_end.append(answered)
        return config


@dataclass(frozen=True, kw_only=True)
class TracedSession(kopf.AiohttpSession):
    """kopf's own session for the same credentials, which two sessions are compared by, and a trace of it."""

    aiohttp_session: aiohttp.ClientSession = field(compare=False, repr=False)
    info: kopf.ConnectionInfo

    @classmethod
    def of(cls, info: kopf.ConnectionInfo, trace: aiohttp.TraceConfig) -> TracedSession:
        """Make it; needs a running loop."""
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
            headers=info.as_http_headers(),
            proxy=info.proxy_url,
            trust_env=info.trust_env,
            trace_configs=[trace],
        )
        return cls(
            aiohttp_session=session,
            info=info,
            server=info.server,
            priority=info.priority,
            default_namespace=info.default_namespace,
            expiration=info.expiration,
        )
