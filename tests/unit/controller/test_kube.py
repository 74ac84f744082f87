"""Refusals of the API server become errors by what a caller can do about them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client

from trainyard.controller import kube as door
from trainyard.controller.kube import JOBS, PODS, Kube
from trainyard.controller.metrics import Metrics

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[Kube]:
    """A client of a server that answers by one handler."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    kube = Kube(client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{port}")), Metrics())
    try:
        yield kube
    finally:
        await kube.close()
        await runner.cleanup()


def refuse(code: int, reason: str = "", headers: dict[str, str] | None = None) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        body = json.dumps({"kind": "Status", "message": "no", "reason": reason})
        return web.Response(status=code, text=body, headers=headers, content_type="application/json")

    return handler


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (404, "NotFound", door.NotFound),
        (409, "AlreadyExists", door.AlreadyExists),
        (409, "Conflict", door.Conflict),
        (422, "Invalid", door.Invalid),
        (403, "Forbidden", door.Forbidden),
        (401, "Unauthorized", door.Unavailable),
        (429, "TooManyRequests", door.Unavailable),
        (500, "InternalError", door.Unavailable),
        (503, "ServiceUnavailable", door.Unavailable),
        (504, "Timeout", door.Unavailable),
    ],
)
def test_codes_become_families(code: int, reason: str, error: type[Exception]) -> None:
    async def main() -> None:
        async with served(refuse(code, reason)) as kube:
            with pytest.raises(error) as caught:
                await kube.create(JOBS, "ns", {"metadata": {"name": "x"}})
            assert type(caught.value) is error
            assert "no" in str(caught.value)

    asyncio.run(main())


def test_nobody_there_is_unavailable_and_counted() -> None:
    async def main() -> None:
        metrics = Metrics()
        kube = Kube(client.ApiClient(client.Configuration(host="http://127.0.0.1:9")), metrics)
        with pytest.raises(door.Unavailable, match="no answer"):
            await kube.get(JOBS, "ns", "x")
        await kube.close()
        text = metrics.render().decode()
        assert 'trainyard_api_requests_total{code="none",resource="jobs",verb="get"} 1.0' in text

    asyncio.run(main())


def test_retry_after_closes_the_door_for_everybody() -> None:
    calls: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        async def handler(_: web.Request) -> web.Response:
            calls.append(loop.time())
            if len(calls) == 1:
                return web.Response(status=429, headers={"Retry-After": "1"})
            return web.json_response({})

        async with served(handler) as kube:
            with pytest.raises(door.Unavailable) as caught:
                await kube.get(JOBS, "ns", "a")
            assert caught.value.retry_after == 1.0
            await kube.get(JOBS, "ns", "b")

    asyncio.run(main())
    assert calls[1] - calls[0] >= 0.95


def test_lists_are_read_page_by_page() -> None:
    seen: list[dict[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(dict(request.query))
        if "continue" in request.query:
            return web.json_response({"items": [{"n": 3}], "metadata": {}})
        return web.json_response({"items": [{"n": 1}, {"n": 2}], "metadata": {"continue": "next"}})

    async def main() -> list[Any]:
        async with served(handler) as kube:
            return [item["n"] async for item in kube.list(PODS, "ns", labelSelector="a=b")]

    assert asyncio.run(main()) == [1, 2, 3]
    assert [q["labelSelector"] for q in seen] == ["a=b", "a=b"]
    assert seen[1]["continue"] == "next"


def test_deleting_what_is_gone_or_replaced_is_done() -> None:
    async def main() -> None:
        for code, reason in ((404, "NotFound"), (409, "Conflict")):
            async with served(refuse(code, reason)) as kube:
                await kube.delete(JOBS, "ns", "x", "uid")

    asyncio.run(main())


def test_paths() -> None:
    assert JOBS.path("ns", "x", "status") == "/apis/batch/v1/namespaces/ns/jobs/x/status"
    assert PODS.path() == "/api/v1/pods"
