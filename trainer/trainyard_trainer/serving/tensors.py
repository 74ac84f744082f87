"""The tensors of the Open Inference Protocol (REST, v2): one tensor a column, of shape [n] or [n, 1].

Images may also come as their pixels: [n, height, width] or [n, height, width, channels].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainyard_model import IMAGE, Schema
from trainyard_model.schema import Role
from trainyard_trainer.serving.cells import BY_ROLE, kind
from trainyard_trainer.serving.refusal import Problems
from trainyard_trainer.serving.rows import no_column, too_many

_NUMBERS = frozenset(
    [f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)] + ["FP16", "FP32", "FP64", "BOOL"]
)
_ANSWERS = {bool: "BOOL", int: "INT64", float: "FP64", str: "BYTES"}
_BODY = '{"inputs": [{"name", "shape", "datatype", "data"}, ...]}'


def from_tensors(value: Any, schema: Schema, most: int) -> dict[str, Sequence[Any]]:
    """Columns for the model, from the JSON of an inference request.

    Raises:
        Refused: 413 for too many rows, 422 with the problems.
    """
    problems = Problems()
    tensors = _tensors(value, schema, problems)
    _check_outputs(value, schema, problems)
    roles = {column.name: column.role for column in schema.columns}
    cells = {name: _cells(tensor, name, roles[name], problems) for name, tensor in tensors.items()}
    lengths = {name: len(found) for name, found in cells.items() if found is not None}
    if lengths and max(lengths.values()) > most:
        raise too_many(max(lengths.values()), most)
    problems.check()
    if len(set(lengths.values())) > 1:
        first = next(iter(lengths.values()))
        odd = next(name for name, length in lengths.items() if length != first)
        problems.add("shape", None, odd, f"{first} values, as in the first tensor", f"{lengths[odd]}")
        problems.check()
    columns = {
        column.name: BY_ROLE[column.role].read(column.name, cells[column.name] or [], problems)
        for column in schema.columns
    }
    problems.check()
    return columns


def _tensors(value: Any, schema: Schema, problems: Problems) -> dict[str, Mapping[str, Any]]:
    """The tensors by name, after missing, unknown, doubled and shapeless ones were noted."""
    inputs = value.get("inputs") if isinstance(value, dict) else None
    if not isinstance(inputs, list):
        problems.add("shape", None, None, _BODY, kind(value))
        problems.check()
        return {}
    roles = {column.name: column.role for column in schema.columns}
    found: dict[str, Mapping[str, Any]] = {}
    for tensor in inputs:
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str):
            problems.add("shape", None, None, "a tensor object with a name", kind(tensor))
        elif name not in roles:
            problems.add("unknown_column", None, name, no_column(name, list(roles), problems), "a tensor")
        elif name in found:
            problems.add("shape", None, name, "one tensor", "two")
        else:
            found[name] = tensor
            _check_type(tensor, roles[name], name, problems)
    for name, role in roles.items():
        if name not in found:
            problems.add("missing_column", None, name, f"a tensor of {BY_ROLE[role].expected}", "nothing")
    return found


def _check_type(tensor: Mapping[str, Any], role: Role, name: str, problems: Problems) -> None:
    datatype = tensor.get("datatype")
    if datatype == "BYTES" or (isinstance(datatype, str) and datatype in _NUMBERS):
        return
    got = "another text" if isinstance(datatype, str) else kind(datatype)
    problems.add("datatype", None, name, f"datatype {BY_ROLE[role].datatype}", got)


def _cells(tensor: Mapping[str, Any], name: str, role: Role, problems: Problems) -> Sequence[Any] | None:
    """The values in one list, when they are as many as the shape says."""
    shape, data = tensor.get("shape"), tensor.get("data")
    sizes = (
        shape if isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape) else []
    )
    pixels = role == IMAGE and len(sizes) in (3, 4)
    if not pixels and (not sizes or len(sizes) > 2 or sizes[1:] not in ([], [1])):
        shapes = "shape [n] or [n, 1]" + (", [n, h, w] or [n, h, w, c]" if role == IMAGE else "")
        problems.add("shape", None, name, shapes, "another shape" if sizes else kind(shape))
        return None
    if not isinstance(data, list):
        problems.add("shape", None, name, "data as an array", kind(data))
        return None
    if pixels:
        return _pixels(data, sizes, name, problems)
    if len(sizes) == 2 and all(isinstance(cell, list) and len(cell) == 1 for cell in data):
        data = [cell[0] for cell in data]
    if len(data) != sizes[0]:
        problems.add("shape", None, name, f"{sizes[0]} values, as the shape says", f"{len(data)}")
        return None
    return data


def _pixels(data: list[Any], sizes: list[int], name: str, problems: Problems) -> list[Any] | None:
    """An array of each image, from numbers that are nested as the shape says, or in one row."""
    try:
        values = np.asarray(data)
        if values.dtype.kind not in "iuf":
            raise TypeError
        return list(values.reshape(sizes))
    except (TypeError, ValueError, OverflowError):
        problems.add("shape", None, name, f"{math.prod(sizes)} numbers, as the shape says", "something else")
        return None


def _check_outputs(value: Mapping[str, Any], schema: Schema, problems: Problems) -> None:
    for wanted in wanted_outputs(value):
        if wanted not in schema.outputs:
            problems.add(
                "unknown_output", None, wanted, f"one of {', '.join(schema.outputs)}", "another output"
            )


def wanted_outputs(value: Mapping[str, Any]) -> list[str]:
    """Names of the outputs asked for; none means all."""
    asked = value.get("outputs")
    return [str(one.get("name")) for one in asked if isinstance(one, dict)] if isinstance(asked, list) else []


def to_tensors(
    outputs: Mapping[str, Sequence[Any]], schema: Schema, wanted: list[str]
) -> list[dict[str, Any]]:
    """Output columns as tensors, those asked for."""
    return [
        {"name": name, "shape": [len(values)], "datatype": output_type(name, schema), "data": list(values)}
        for name, values in outputs.items()
        if not wanted or name in wanted
    ]


def output_type(name: str, schema: Schema) -> str:
    """Datatype of an output."""
    if name == "prediction" and schema.classes:
        return _ANSWERS.get(type(schema.classes[0]), "BYTES")
    return "FP64"
