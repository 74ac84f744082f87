"""The routes. Each asks first who asks; then one path does the work, whatever the dialect."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from trainyard_trainer.serving import describe
from trainyard_trainer.serving.middleware import DEFECT, Envelope, dump, failure
from trainyard_trainer.serving.model import Model
from trainyard_trainer.serving.recorded import row_answers
from trainyard_trainer.serving.refusal import Refused
from trainyard_trainer.serving.rows import from_rows, parse
from trainyard_trainer.serving.service import Service
from trainyard_trainer.serving.tensors import from_tensors, to_tensors, wanted_outputs


def create_app(service: Service) -> ASGIApp:
    """The application of the first port. Its documentation names the columns, so tokens shut it."""
    open_docs = service.settings.anonymous and service.tokens is None
    app = FastAPI(
        title=f"{service.settings.name} {service.settings.version}",
        openapi_url="/openapi.json" if open_docs else None,
        redoc_url=None,
    )
    _errors(app, service)
    _health(app, service)
    _protocol(app, service)

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        """Rows in, answers out."""
        service.authorise(request)
        most = service.settings.max_rows
        return await service.answer(request, lambda model, body: predict_rows(model, body, most))

    describe.install(app, service)
    return Envelope(app, service)


def _health(app: FastAPI, service: Service) -> None:
    @app.get("/v2/health/live")
    async def live() -> Response:
        """Whether the process answers; the model is never asked."""
        return _json({"live": True})

    @app.get("/v2/health/ready")
    async def ready() -> Response:
        """Whether the model is loaded and has reproduced its recorded outputs."""
        service.check_ready()
        return _json({"ready": True})

    @app.get("/v2/models/{name}/ready")
    async def model_ready(name: str) -> Response:
        """The same, for one model."""
        service.known(name)
        service.check_ready()
        return _json({"name": name, "ready": True})


def _protocol(app: FastAPI, service: Service) -> None:
    @app.get("/v2")
    async def server(request: Request) -> Response:
        """What this server is."""
        service.authorise(request)
        return _json(describe.server())

    @app.get("/v2/models/{name}")
    async def model(name: str, request: Request) -> Response:
        """Inputs, outputs and origin of the model."""
        service.authorise(request)
        service.known(name)
        return _json(describe.model(service.loaded()))

    @app.post("/v2/models/{name}/infer")
    async def infer(name: str, request: Request) -> Response:
        """Tensors in, tensors out: one a column."""
        service.authorise(request)
        service.known(name)
        most = service.settings.max_rows
        return await service.answer(request, lambda model, body: infer_tensors(model, body, most))


def _errors(app: FastAPI, service: Service) -> None:
    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        for reason in error.reasons:
            service.metrics.refused.labels(reason).inc()
        return failure(error, request.state.request_id)

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        """Not a word of what happened; the envelope, which sees the error too, logs where it was."""
        return failure(DEFECT, request.state.request_id)

    @app.exception_handler(HTTPException)
    async def routing(request: Request, error: HTTPException) -> Response:
        """No such route, or another method."""
        known = Refused(error.status_code, str(error.detail), headers=error.headers)
        return failure(known, request.state.request_id)


def predict_rows(model: Model, body: bytes, most: int) -> tuple[bytes, int]:
    """A /predict request to its answer; runs in a thread."""
    columns = from_rows(parse(body), model.schema, most)
    rows = row_answers(model.predict(columns))
    return dump({"model": model.name, "version": model.version, "rows": rows}), len(rows)


def infer_tensors(model: Model, body: bytes, most: int) -> tuple[bytes, int]:
    """An inference request of the protocol to its answer; runs in a thread."""
    value = parse(body)
    outputs = model.predict(from_tensors(value, model.schema, most))
    answer: dict[str, Any] = {"model_name": model.name, "model_version": model.version}
    if isinstance(value.get("id"), str):
        answer["id"] = value["id"]
    answer["outputs"] = to_tensors(outputs, model.schema, wanted_outputs(value))
    return dump(answer), len(next(iter(outputs.values())))


def _json(value: Any) -> Response:
    return Response(dump(value), media_type="application/json")
