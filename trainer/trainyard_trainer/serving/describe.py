"""What a server says about itself: metadata of the protocol, OpenAPI, and a command to paste."""

from __future__ import annotations

import json
import shlex
from importlib import metadata
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from trainyard_model import NUMERIC
from trainyard_trainer.serving.model import Model
from trainyard_trainer.serving.service import Service
from trainyard_trainer.serving.tensors import output_type


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
        "inputs": [
            {"name": c.name, "datatype": "FP64" if c.role == NUMERIC else "BYTES", "shape": [-1]}
            for c in schema.columns
        ],
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


def example_rows(one: Model, count: int = 1) -> list[dict[str, Any]]:
    """The first recorded rows, as /predict takes them."""
    return one.recorded.row_objects()[:count]


def example_tensors(one: Model) -> dict[str, Any]:
    """The first recorded row, as the protocol takes it."""
    row = example_rows(one)[0]
    return {
        "inputs": [
            {
                "name": tensor["name"],
                "shape": [1],
                "datatype": tensor["datatype"],
                "data": [row[tensor["name"]]],
            }
            for tensor in model(one)["inputs"]
        ]
    }


def curl(one: Model, url: str, token_file: str | None = None) -> str:
    """A command that asks for the prediction of the first recorded row."""
    token = f' -H "Authorization: Bearer $(cat {shlex.quote(token_file)})"' if token_file else ""
    body = shlex.quote(json.dumps(example_rows(one), ensure_ascii=False))
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
    category = ["string", "number", "boolean", "null"]
    properties = {
        c.name: {"type": ["number", "null"] if c.role == NUMERIC else category} for c in one.schema.columns
    }
    row = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "array", "items": row}
