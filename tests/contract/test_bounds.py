"""Every bound of every spec field: a value beyond it is refused by the API server and by the models alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from typing_extensions import override

from tests.contract.objects import Objects
from tests.support.manifests import Manifest
from tests.support.samples import Sampler, Schema, leaves, replaced, spelled
from trainyard.api import names
from trainyard.api.base import InvalidManifest
from trainyard.api.schema import ROOTS, crd

pytestmark = pytest.mark.contract

VARIANTS = 5
"""As many as the largest union has members, so that each is set once."""
REPEATED = ("template", "spec")
"""A Study's template is a TrainingJob's spec, whose bounds are tried there."""


@dataclass(frozen=True)
class Beyond:
    """One value beyond one bound."""

    kind: str
    body: Manifest
    path: tuple[str | int, ...]
    bound: str

    @override
    def __str__(self) -> str:
        return f"{spelled(self.path)} {self.bound}"


def _full(kind: names.Kind, member: int) -> Manifest:
    schema = _schema(kind)
    spec = Sampler(member=member).make(schema["properties"]["spec"])
    return {
        "apiVersion": names.API_VERSION,
        "kind": kind.kind,
        "metadata": {"name": f"full-{member}"},
        "spec": spec,
    }


@cache
def _schema(kind: names.Kind) -> Schema:
    schema: Schema = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _beyond(schema: Schema) -> Iterator[tuple[str, Any]]:
    """Values just beyond each bound of a field."""
    if schema.get("x-kubernetes-int-or-string"):
        yield "pattern", "8 Gi"
        return
    if "enum" in schema:
        yield "enum", "Nonsense"
        return
    kind = schema["type"]
    if kind == "string" and schema.get("format") != "date-time":
        yield "maxLength", "a" * (schema["maxLength"] + 1)
        if schema.get("minLength"):
            yield "minLength", ""
        if "pattern" in schema:
            yield "pattern", "~: "
    elif kind in ("integer", "number"):
        step = 1 if kind == "integer" else 0.5
        yield "minimum", schema["minimum"] if schema.get("exclusiveMinimum") else schema["minimum"] - step
        yield "maximum", schema["maximum"] if schema.get("exclusiveMaximum") else schema["maximum"] * 2 + step
    elif kind == "array":
        item = Sampler().make(schema["items"], "")
        if schema.get("x-kubernetes-list-type") != "map":
            yield "maxItems", [item] * (schema["maxItems"] + 1)
        if schema.get("minItems"):
            yield "minItems", []
    elif "additionalProperties" in schema:
        value = Sampler().make(schema["additionalProperties"], "")
        yield "maxProperties", {f"k{i}": value for i in range(schema["maxProperties"] + 1)}
        if schema.get("minProperties"):
            yield "minProperties", {}


def _cases() -> Iterator[Beyond]:
    for kind in ROOTS:
        seen = set()
        for member in range(VARIANTS):
            body = _full(kind, member)
            for path, field in leaves(_schema(kind)["properties"]["spec"], body["spec"], ("spec",)):
                if path in seen or path[1:3] == REPEATED:
                    continue
                seen.add(path)
                for bound, value in _beyond(field):
                    yield Beyond(kind.kind, replaced(body, path, value), path, bound)


CASES = list(_cases())


@pytest.mark.parametrize("kind", names.KINDS.values(), ids=lambda kind: kind.kind)
@pytest.mark.parametrize("member", range(VARIANTS))
def test_full_object_is_accepted(shared: Objects, kind: names.Kind, member: int) -> None:
    body = _full(kind, member)
    assert shared.refusal(body) == ""
    ROOTS[kind].strict(body)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_refused_beyond(shared: Objects, case: Beyond) -> None:
    place = spelled(tuple(part for part in case.path if part != "k0xxxxxx"))
    assert place in shared.refusal(case.body)
    with pytest.raises(InvalidManifest) as refused:
        ROOTS[names.KINDS[case.kind]].strict(case.body)
    assert any(problem.startswith(place) for problem in refused.value.problems)


def test_every_string_list_and_map_is_bounded() -> None:
    """Status too: an unbounded field could make an object that cannot be stored."""
    unbounded = [
        f"{kind.kind}.{path}"
        for kind in ROOTS
        for path, field in _walk(_schema(kind), "")
        if not _bounded(field)
    ]
    envelope = {f"{kind.kind}.{name}" for kind in ROOTS for name in ("apiVersion", "kind")}
    assert set(unbounded) == envelope


def _bounded(schema: Schema) -> bool:
    if "enum" in schema:
        return True
    match schema.get("type"):
        case "string" | None:
            return "maxLength" in schema
        case "array":
            return "maxItems" in schema
        case "object" if "additionalProperties" in schema:
            return "maxProperties" in schema
        case _:
            return True


def _walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    for name, field in schema.get("properties", {}).items():
        where = f"{path}.{name}".lstrip(".")
        yield where, field
        yield from _walk(field, where)
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield f"{path}[]", schema[key]
            yield from _walk(schema[key], f"{path}[]")
