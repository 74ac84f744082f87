"""The HTTP interface that trainer pods speak to.

Each route first asks who calls: a pod whose token was verified, and the one custom resource that it may speak
for. Answers to refused callers tell what to do and nothing about why in detail; that is in our log.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError

from trainyard.api.names import KUBEFLOW_STATUS
from trainyard.api.wire import Progress, ProgressReply
from trainyard.coordinator import kubeflow
from trainyard.coordinator.auth import Identity, TokenError
from trainyard.coordinator.facts import Owner
from trainyard.coordinator.keys import Authenticator, KeysUnavailableError
from trainyard.coordinator.kube import KubeError
from trainyard.coordinator.metrics import Metrics
from trainyard.coordinator.pods import Index, NotOursError
from trainyard.coordinator.progress import ProgressService, StaleAttemptError

log = logging.getLogger(__name__)
M = TypeVar("M", bound=BaseModel)
LONGEST_BODY = 64 * 1024
BODY_SECONDS = 10.0


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, reason: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work with."""

    authenticator: Authenticator
    index: Index
    progress: ProgressService
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Caller:
    """Who speaks, and for what."""

    identity: Identity
    owner: Owner


def create_app(services: Services) -> FastAPI:
    """The application; studies will add their routes beside progress."""
    app = FastAPI(title="Trainyard coordinator", openapi_url=None, docs_url=None, redoc_url=None)

    @app.post("/v1/progress")
    async def progress(request: Request) -> JSONResponse:
        caller = await identify(services, request)
        reply = await take(services, caller, await read_body(request, Progress))
        return JSONResponse(reply.model_dump(mode="json", by_alias=True, exclude_none=True))

    @app.post(KUBEFLOW_STATUS)
    async def trainer_status(request: Request, namespace: str, name: str) -> JSONResponse:
        caller = await identify(services, request)
        if (caller.owner.namespace, caller.owner.name) != (namespace, name):
            raise RefusedError(403, "not-owned", "this pod may report for its own TrainingJob only")
        report = await read_body(request, kubeflow.StatusReport)
        await take(services, caller, report.progress(caller.owner.attempt))
        return JSONResponse(report.model_dump(mode="json", by_alias=True, exclude_none=True))

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> JSONResponse:
        services.metrics.rejected.labels(error.reason).inc()
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else None
        return JSONResponse({"reason": error.reason, "message": error.message}, error.status, headers)

    @app.exception_handler(KubeError)
    async def unreachable(request: Request, error: KubeError) -> JSONResponse:
        log.warning("cannot answer %s: %s", request.url.path, error)
        return await refused(request, unavailable("the API server cannot be asked"))

    return app


async def take(services: Services, caller: Caller, report: Progress) -> ProgressReply:
    """Hand a report on."""
    try:
        return await services.progress.report(caller.owner, report)
    except StaleAttemptError:
        raise RefusedError(
            409, "stale-attempt", "this attempt was replaced by a newer one; save a checkpoint and stop"
        ) from None


async def identify(services: Services, request: Request) -> Caller:
    """Verify the bearer token and find the custom resource that its pod works for."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise RefusedError(401, "no-token", "send the pod's projected token as `Authorization: Bearer ...`")
    try:
        identity = await services.authenticator.identify(token.strip())
    except TokenError as error:
        log.info("refused a token of %s: %s", request.client.host if request.client else "?", error)
        services.metrics.rejected.labels(f"token-{error.reason}").inc()
        raise RefusedError(
            401,
            "bad-token",
            "token not accepted; read the projected token (audience trainyard-coordinator) anew",
        ) from None
    except KeysUnavailableError:
        raise unavailable("tokens cannot be verified yet") from None
    try:
        return Caller(identity, await services.index.owner(identity))
    except NotOursError as error:
        log.info("refused a pod: %s", error)
        raise RefusedError(
            403,
            "not-owned",
            "this pod belongs to no TrainingJob known here; if it was created just now, try again in 5 s",
            retry_after=5,
        ) from None


async def read_body(request: Request, model: type[M]) -> M:
    """Read a JSON body of bounded size, in bounded time, as the given model."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > LONGEST_BODY:
                    raise RefusedError(
                        413, "too-large", f"the body is larger than {LONGEST_BODY} bytes; send less"
                    )
                chunks.append(chunk)
    except TimeoutError:
        raise RefusedError(
            408, "too-slow", f"the body did not arrive within {BODY_SECONDS:.0f} s; send it anew"
        ) from None
    try:
        return model.model_validate_json(b"".join(chunks))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise RefusedError(
            422, "invalid-body", f"{where}: {first['msg']}; correct it and send it anew"
        ) from None


def unavailable(why: str) -> RefusedError:
    """Answer that asks to come again."""
    return RefusedError(503, "unavailable", f"{why}; try again in a few seconds", retry_after=5)
