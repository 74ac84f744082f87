"""What a server says about itself: metadata of the protocol, OpenAPI, and a command to paste."""

from __future__ import annotations

import json
import shlex
from importlib import metadata
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from trainyard_model import IMAGE, Column, Shape
from trainyard_trainer.serving.cells import BY_ROLE
from trainyard_trainer.serving.model import Model
from trainyard_trainer.serving.service import Service
from trainyard_trainer.serving.tensors import output_type

_LONGEST_ARGUMENT = 100_000  # characters; Linux takes 131,072 bytes


def server() -> dict[str, Any]:
    """GET /v2."""
    try:
        version = metadata.version("trainyard")
    except metadata.PackageNotFoundError:
        version = "unknown"
    return {"name": "trainyard", "version": version, "extensions": []}


def model(one: Model) -> dict[str, Any]:
    """GET /v2/models/{name}: what goes in, what comes out, and where it comes from."""
    schema, package = one.schema, one.predictor.package
    return {
        "name": one.name,
        "versions": [one.version],
        "platform": f"trainyard_{package.family}",
        "inputs": [_input(c, package.preprocessor.shape()) for c in schema.columns],
        "outputs": [
            {"name": name, "datatype": output_type(name, schema), "shape": [-1]} for name in schema.outputs
        ],
        "parameters": {
            "task": schema.task,
            "targets": list(schema.targets),
            "threshold": package.threshold,
            "sha256": one.sha256,
            **package.info,
        },
    }


def _input(column: Column, shape: Shape) -> dict[str, Any]:
    """A tensor of the column; images, which can also be files, have one more word for that."""
    found = {"name": column.name, "datatype": BY_ROLE[column.role].datatype, "shape": [-1]}
    if (image := shape.image) is None:
        return found
    channels = [image.channels] if image.channels > 1 else []
    pixels = [-1, image.height, image.width, *channels]
    return {**found, "shape": pixels, "parameters": {"or": "BYTES [-1]: PNG or JPEG files in base64"}}


def example_rows(one: Model, count: int = 1) -> list[dict[str, Any]]:
    """The first recorded rows, as /predict takes them."""
    return one.recorded.row_objects()[:count]


def example_tensors(one: Model) -> dict[str, Any]:
    """The first recorded row, as the protocol takes it."""
    row = example_rows(one)[0]
    return {
        "inputs": [
            {
                "name": c.name,
                "shape": [1],
                "datatype": "BYTES" if c.role == IMAGE else BY_ROLE[c.role].datatype,
                "data": [row[c.name]],
            }
            for c in one.schema.columns
        ]
    }


def curl(one: Model, url: str, token_file: str | None = None) -> str:
    """A command that asks for the prediction of the first recorded row."""
    token = f' -H "Authorization: Bearer $(cat {shlex.quote(token_file)})"' if token_file else ""
    body = json.dumps(example_rows(one), ensure_ascii=False)
    if len(body) > _LONGEST_ARGUMENT:
        names = ", ".join(c.name for c in one.schema.columns[:8])
        body = f"@rows.json  # a list of objects with {names}"
    else:
        body = shlex.quote(body)
    return f"curl -s {url}/predict{token} -H 'content-type: application/json' -d {body}"


def install(app: FastAPI, service: Service) -> None:
    """Make the OpenAPI document name the model's columns, once there is a model."""

    def document() -> dict[str, Any]:
        found = get_openapi(title=app.title, version=service.settings.version, routes=app.routes)
        if service.model is not None:
            paths = found["paths"]
            paths["/predict"]["post"]["requestBody"] = _body(
                _rows_schema(service.model), example_rows(service.model)
            )
            infer = paths["/v2/models/{name}/infer"]["post"]
            infer["requestBody"] = _body({"type": "object"}, example_tensors(service.model))
        return found

    app.openapi = document  # type: ignore[method-assign]


def _body(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def _rows_schema(one: Model) -> dict[str, Any]:
    properties = {c.name: BY_ROLE[c.role].schema for c in one.schema.columns}
    row = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "array", "items": row}
