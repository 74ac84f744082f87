"""What cannot be provoked from outside: a defect inside, a body that never comes, answers too slow."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from tests.unit.serving.servers import ROW
from trainyard_trainer.serving import model as models
from trainyard_trainer.serving.app import create_app
from trainyard_trainer.serving.limits import read_body
from trainyard_trainer.serving.refusal import Refused
from trainyard_trainer.serving.service import Service
from trainyard_trainer.serving.settings import Settings


class Broken:
    """A predictor with a defect whose text repeats what was sent."""

    def __init__(self, whole: Any, seconds: float) -> None:
        self.schema, self.package, self.seconds = whole.schema, whole.package, seconds

    def predict(self, columns: Mapping[str, Any]) -> Any:
        time.sleep(self.seconds)
        raise RuntimeError(f"cannot take {columns}")


def post(service: Service) -> tuple[int, dict[str, str], Any]:
    """One request, straight into the application."""
    sent: list[Any] = []
    body = json.dumps([ROW]).encode()

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers, "query_string": b""}
    asyncio.run(create_app(service)(scope, receive, send))
    found = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], found, json.loads(sent[1]["body"])


def broken(package: Path, seconds: float = 0.0, **changes: Any) -> Service:
    settings = Settings(package, "jobs", "7", anonymous=True, **changes)
    service, model = Service(settings), models.load(settings)
    service.ready(dataclasses.replace(model, predictor=Broken(model.predictor, seconds)))  # type: ignore[arg-type]
    return service


def test_a_defect_is_answered_without_a_word_of_it(built: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        status, headers, body = post(broken(built))
    assert (status, set(body)) == (500, {"error", "request_id"})
    assert headers["x-request-id"] == body["request_id"]
    assert headers["x-model-version"] == "7"
    assert "clerk" not in json.dumps(body) + caplog.text
    assert body["request_id"] in caplog.text
    assert "RuntimeError" in caplog.text


def test_too_slow_is_said_and_the_place_is_kept_until_the_thread_is_free(built: Path) -> None:
    service = broken(built, seconds=0.5, timeout_seconds=0.1)
    status, _, body = post(service)
    assert (status, body["error"]) == (504, "no answer within 0.1 s; send fewer rows")
    assert service.places.taken == 1


def test_while_it_loads_nobody_is_answered(built: Path) -> None:
    status, headers, body = post(Service(Settings(built, "jobs", "7", anonymous=True)))
    assert (status, headers["retry-after"], body["error"]) == (503, "2", "the model is being loaded")


def test_a_body_that_never_comes() -> None:
    async def receive() -> Any:
        await asyncio.sleep(60)

    request = Request({"type": "http", "headers": []}, receive)
    with pytest.raises(Refused, match=r"did not arrive within 0\.05 s") as refused:
        asyncio.run(read_body(request, 10, 0.05))
    assert refused.value.status == 408


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputExample": {}, "expectedOutput": {}}, "records no example"),
        ({"expectedOutput": {"prediction": ["no"] * 5}}, "the outputs are"),
        ({"inputExample": {"age": [1]}}, "cannot be answered: missing column"),
        ({"schema": None}, "cannot be understood"),
        ({"formatVersion": 99}, "package format 99"),
    ],
    ids=["none", "outputs", "example", "schema", "newer"],
)
def test_packages_that_prove_nothing(package: Path, change: dict[str, Any], message: str) -> None:
    manifest = json.loads((package / "package.json").read_text())
    (package / "package.json").write_text(json.dumps(manifest | change))
    with pytest.raises(models.ModelRefused, match=message):
        models.load(Settings(package, "jobs", "7"))
