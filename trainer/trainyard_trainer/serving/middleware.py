"""Around every request: its id, the model's version, the time it took, and no word of ours when we fail."""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trainyard_trainer.serving.refusal import Refused
from trainyard_trainer.serving.service import Service

log = logging.getLogger(__name__)
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
DEFECT = Refused(500, "the server failed; its log has more under this request_id")
_HEALTH = ("/v2/health/", "/ready")


class Envelope:
    """ASGI middleware; the outermost part of the application."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["x-model-version"] = self.service.settings.version
                if self.service.stopping:
                    headers["connection"] = "close"
            await send(message)

        self._begin(scope)
        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            # The error's own text may repeat what was sent; where it happened does not.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("request %s failed: %s\n%s", request_id, type(error).__name__, where)
            if not status:
                await failure(DEFECT, request_id)(scope, receive, send_with_headers)
        finally:
            self._end(scope, status, time.perf_counter() - started)

    def _begin(self, scope: Scope) -> None:
        if not is_health(scope):
            self.service.open_requests += 1
            self.service.metrics.in_flight.inc()

    def _end(self, scope: Scope, status: int, seconds: float) -> None:
        if not is_health(scope):
            self.service.open_requests -= 1
            self.service.last_request = time.monotonic()
            self.service.metrics.in_flight.dec()
        route: str = getattr(scope.get("route"), "path", "other")
        self.service.metrics.seconds.labels(route, str(status)).observe(seconds)


def is_health(scope: Scope) -> bool:
    """Whether only a probe asks; probes keep nobody waiting."""
    path: str = scope["path"]
    return path.startswith(_HEALTH[0]) or path.endswith(_HEALTH[1])


def dump(value: Any) -> bytes:
    """JSON in ASCII, so that any text that came in can go out; NaN is an error of ours."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")


def failure(refused: Refused, request_id: str) -> Response:
    """The answer to a refused request: `error` is a string, as the protocol wants; more stands beside it."""
    body = {"error": refused.message, **refused.fields, "request_id": request_id}
    return Response(dump(body), refused.status, refused.headers, "application/json")
