"""Objects made from a structural schema: every field set, small or as large as its bounds allow.

Made from what the API server is given rather than from the models, so that the two are compared and not one
with itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

TIME = "2026-01-02T03:04:05Z"
FIXED: dict[str, Any] = {
    "mountPath": "/data/x",
    "nesterov": False,
    "log": False,
    "validation": 0.25,
    "test": 0.25,
    "by": "Files",
    "isolation": "Job",
    "csv": {
        "delimiter": ";",
        "header": False,
        "columnNames": ["a"],
        "encoding": "latin-1",
        "nullValues": ["?"],
    },
    "name_of_volume": "data",
    "step.int": 1,
}
"""Values of fields that a rule ties to others, by the field's name."""
UNION = re.compile(r"has\(self\.(\w+)\)")


@dataclass(frozen=True)
class Sampler:
    """How objects are made.

    Attributes:
        large: fill strings, lists and maps to their bounds.
        member: which member of each union is set (counted round).
    """

    large: bool = False
    member: int = 0

    def make(self, schema: Schema, name: str = "", index: int = 0) -> Any:
        """A value that the schema and its rules accept."""
        if name in FIXED and not (name in ("validation", "test") and schema.get("type") == "object"):
            return FIXED[name] if not self.large or name != "csv" else self._object(schema)
        if schema.get("x-kubernetes-int-or-string"):
            return self._text(schema, index)
        if "enum" in schema:
            return schema["enum"][0]
        match schema["type"]:
            case "object":
                return self._object(schema, index)
            case "array":
                count = schema["maxItems"] if self.large else max(1, schema.get("minItems", 0))
                return [self.make(schema["items"], f"{name}[]", i) for i in range(count)]
            case "string":
                return self._text(schema, index)
            case "boolean":
                return True
            case "integer":
                return int(_number(schema)) + (index if self.large else 0)
            case _:
                return _number(schema)

    def _object(self, schema: Schema, index: int = 0) -> dict[str, Any]:
        if "properties" in schema:
            left_out = self._left_out(schema)
            return {
                key: self.make(field, key, index)
                for key, field in schema["properties"].items()
                if key not in left_out
            }
        if "additionalProperties" not in schema:
            return {}
        count = schema["maxProperties"] if self.large else 1
        length = _key_length(schema) if self.large else 8
        return {
            f"k{i}".ljust(length, "x"): self.make(schema["additionalProperties"], "", i) for i in range(count)
        }

    def _left_out(self, schema: Schema) -> set[str]:
        out: set[str] = set()
        for rule in schema.get("x-kubernetes-validations", []):
            if "exists_one" in rule["rule"] or "size() <= 1" in rule["rule"]:
                members = UNION.findall(rule["rule"])
                out.update(members)
                out.discard(self._chosen(members, schema))
        if "family" in schema["properties"] and "args" in schema["properties"]:
            out.update({"family"} if self.member % 2 == 0 or self.large else {"args", "command"})
        if self.large and "maxTrials" in schema["properties"]:
            out.update({"target", "patience"})  # they go with one objective, and the largest object has three
        if "targets" in schema["properties"] and "targets" not in out:
            out.add("task")
        return out

    def _chosen(self, members: list[str], schema: Schema) -> str:
        if not self.large:
            return members[self.member % len(members)]
        return max(members, key=lambda m: len(str(self.make(schema["properties"][m], m))))

    def _text(self, schema: Schema, index: int) -> str:
        if schema.get("format") == "date-time":
            return TIME
        longest = int(schema["maxLength"])
        length = longest if self.large else max(1, min(4, longest))
        number = str(index)
        candidates = (
            "x" * (length - len(number)) + number,
            "a" * length,
            "1" * length,
            "a" * longest,
        )
        pattern = re.compile(str(schema.get("pattern", "")))
        for candidate in candidates:
            if pattern.search(candidate):
                return candidate
        raise AssertionError(f"no sample for the pattern {schema['pattern']}")


def _number(schema: Schema) -> float:
    low, high = schema.get("minimum", 0), schema.get("maximum", 1)
    if schema["type"] == "integer":
        return float(max(low, min(high, 2)))
    middle = low + (high - low) / 2 if high - low <= 1e6 else max(low, 1.0)
    return float(round(middle, 6))


def _key_length(schema: Schema) -> int:
    for rule in schema.get("x-kubernetes-validations", []):
        if found := re.search(r"size\(k\) <= (\d+)", rule["rule"]):
            return int(found.group(1))
    return 128


def leaves(
    schema: Schema, value: Any, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Schema]]:
    """Every field of a value with its schema, containers included."""
    yield path, schema
    if isinstance(value, dict) and "properties" in schema:
        for key, inner in value.items():
            yield from leaves(schema["properties"][key], inner, (*path, key))
    elif isinstance(value, dict) and "additionalProperties" in schema:
        for key, inner in value.items():
            yield from leaves(schema["additionalProperties"], inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value[:1]):
            yield from leaves(schema["items"], inner, (*path, index))


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """A copy of a value with one place changed."""
    if not path:
        return new
    head, *rest = path
    if isinstance(value, list):
        assert isinstance(head, int)
        return [replaced(v, tuple(rest), new) if i == head else v for i, v in enumerate(value)]
    return {**value, head: replaced(value.get(head), tuple(rest), new)}


def spelled(path: tuple[str | int, ...]) -> str:
    """A path as error messages spell it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
