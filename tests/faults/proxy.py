"""A reverse proxy between one operator and a real API server, which does one thing wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import web

from tests.faults.plans import CODES, OF_EVENTS, OF_STREAMS, OUTAGES, Fault, Plan, Trace
from tests.support.apiserver import ApiServer

DELAY = 3.0
OUTAGE = 4.0
CLOSED = 3.0
RETRY_AFTER = "2"
UNCOUNTED = {"events", "leases"}
_HOP = {"host", "authorization", "connection", "transfer-encoding", "content-length", "accept-encoding"}


class Proxy:
    """Plain HTTP on loopback in a thread of its own; `crash` kills the operator."""

    def __init__(self, server: ApiServer, plan: Plan, crash: Callable[[], None]) -> None:
        self._server, self._plan, self._crash = server, plan, crash
        self.trace = Trace()
        self.last_write = time.monotonic()
        self.port = 0
        self._first: dict[str, dict[str, Any]] = {}
        self._outage_until = self._closed_until = 0.0
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def start(self) -> str:
        """Listen; the address comes back."""
        self._thread.start()
        self._up.wait(10)
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End all connections."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        logging.getLogger("aiohttp.server").disabled = True  # broken connections are what it is for
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        for task in (left := asyncio.all_tasks(self._loop)):
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _serve(self) -> None:
        context = ssl.create_default_context(cafile=str(self._server.ca_file))
        headers = {"Authorization": f"Bearer {self._server.token}"}
        connector = aiohttp.TCPConnector(limit=0, ssl=context)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
            self._session = session
            app = web.Application(client_max_size=1 << 24)
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            assert site._server is not None
            self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
            self._up.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if time.monotonic() < self._outage_until:
            return _refusal(self._plan.fault)
        if request.method == "GET":
            return await (self._watch(request) if "watch" in request.query else self._forward(request))
        what, name = _target(request)
        if what in UNCOUNTED:
            return await self._forward(request)
        body = await request.read()
        name = name or str(json.loads(body)["metadata"].get("name", ""))
        self.last_write = time.monotonic()
        self.trace.writes.append(f"{request.method} {what}/{name}")
        if self._plan.at != len(self.trace.writes) or self._plan.stream:
            return await self._counted(request, what, name)
        self.trace.reached = True
        return await self._wrong(request, what, name)

    async def _wrong(self, request: web.Request, what: str, name: str) -> web.StreamResponse:
        fault = self._plan.fault
        if fault in OUTAGES:
            self._outage_until = time.monotonic() + OUTAGE
        if fault in CODES:
            return _refusal(fault)
        if fault is not Fault.CRASH_BEFORE:
            await self._counted(request, what, name)
        if fault is not Fault.LOST:
            await asyncio.to_thread(self._crash)
        raise _broken(request)

    async def _counted(self, request: web.Request, what: str, name: str) -> web.StreamResponse:
        answer = await self._forward(request)
        key = f"{what}/{name}"
        if request.method == "POST" and answer.status == 201:
            self.trace.made[key] = self.trace.made.get(key, 0) + 1
        if request.method == "DELETE" and answer.status == 200:
            self.trace.removed[key] = self.trace.removed.get(key, 0) + 1
        return answer

    async def _forward(self, request: web.Request) -> web.Response:
        try:
            async with self._upstream(request) as answer:
                content = await answer.read()
                headers = {k: v for k, v in answer.headers.items() if k in ("Content-Type", "Retry-After")}
                return web.Response(status=answer.status, body=content, headers=headers)
        except aiohttp.ClientError:
            raise _broken(request) from None

    def _upstream(self, request: web.Request) -> Any:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
        url = f"{self._server.url}{request.rel_url}"
        body = request.read() if request.body_exists else None
        return _Upstream(self._session, request.method, url, headers, body)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        what = _target(request)[0]
        if time.monotonic() < self._closed_until and what == self._plan.stream:
            raise _broken(request)
        async with self._upstream(request) as answer:
            out = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
            await out.prepare(request)
            with contextlib.suppress(ConnectionError):  # the watcher left
                async for line in answer.content:
                    if not await self._pass_on(line, what, out):
                        break
            return out

    async def _pass_on(self, line: bytes, what: str, out: web.StreamResponse) -> bool:
        """One line of a watch; whether the stream goes on."""
        event = json.loads(line)
        if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
            await out.write(line)
            return True
        number = self.trace.events[what] = self.trace.events.get(what, 0) + 1
        uid = event["object"]["metadata"]["uid"]
        old = self._first.setdefault(f"{what}/{uid}", event["object"])
        plan = self._plan
        here = plan.stream == what and plan.at == number and plan.fault in (*OF_EVENTS, *OF_STREAMS)
        if plan.fault is Fault.GONE and plan.stream == what and event["type"] == "DELETED":
            here = not self.trace.reached
        if not here:
            await out.write(line)
            return True
        self.trace.reached = True
        return await self._spoil(line, old, out)

    async def _spoil(self, line: bytes, old: dict[str, Any], out: web.StreamResponse) -> bool:
        match self._plan.fault:
            case Fault.DROPPED:
                return True
            case Fault.DELAYED:
                await asyncio.sleep(DELAY)
                await out.write(line)
            case Fault.DOUBLED:
                await out.write(line)
                await out.write(line)
            case Fault.REPLAYED:
                await out.write(line)
                await out.write(json.dumps({"type": "MODIFIED", "object": old}).encode() + b"\n")
            case Fault.ERROR | Fault.GONE as fault:
                code = 410 if fault is Fault.GONE else 500
                status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
                reason = {"reason": "Expired" if code == 410 else "InternalError", "message": "spoilt"}
                await out.write(
                    json.dumps({"type": "ERROR", "object": {**status, **reason}}).encode() + b"\n"
                )
                return False
            case Fault.CUT:
                await out.write(line[: len(line) // 2])
                return False
            case Fault.STALLED:
                await self._stop.wait()
                return False
            case Fault.CLOSED:
                self._closed_until = time.monotonic() + CLOSED
                return False
        return True


class _Upstream:
    """A request to the API server whose body is read first."""

    def __init__(
        self, session: aiohttp.ClientSession, method: str, url: str, headers: dict[str, str], body: Any
    ) -> None:
        self._session, self._args, self._headers, self._body = session, (method, url), headers, body

    async def __aenter__(self) -> aiohttp.ClientResponse:
        data = None if self._body is None else await self._body
        self._answer = await self._session.request(
            *self._args, headers=self._headers, data=data, allow_redirects=False
        )
        return self._answer

    async def __aexit__(self, *_: object) -> None:
        self._answer.close()


def _target(request: web.Request) -> tuple[str, str]:
    """Resource and name of a request; a status belongs to its object."""
    parts = request.path.strip("/").split("/")
    parts = parts[3:] if parts[0] == "apis" else parts[2:]
    if parts and parts[0] == "namespaces" and len(parts) > 2:
        parts = parts[2:]
    return (parts[0] if parts else ""), (parts[1] if len(parts) > 1 else "")


def _refusal(fault: Fault) -> web.Response:
    code, reason = CODES[fault]
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    headers = {"Retry-After": RETRY_AFTER} if code in (429, 503) else {}
    return web.json_response(
        {**body, "message": f"{reason}, by the fault proxy"}, status=code, headers=headers
    )


def _broken(request: web.Request) -> ConnectionResetError:
    if request.transport is not None:
        request.transport.abort()
    return ConnectionResetError("by the fault proxy")
