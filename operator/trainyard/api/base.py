"""The model every API type derives from: camelCase outside, frozen inside, lenient when reading.

An older operator must survive a newer object, so unknown fields are ignored here. People's manifests are read
by `strict`, which refuses unknown fields and checks the rules that the API server checks by CEL; that is how
`trainyard run` says the same as `kubectl apply` without a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import override

from trainyard.api.rules import Rule

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

_INITIALISMS = {
    "id": "ID",
    "uri": "URI",
    "url": "URL",
    "uid": "UID",
    "cpu": "CPU",
    "oom": "OOM",
    "sha256": "SHA256",
}


def camel(name: str) -> str:
    """Spell a field as Kubernetes does.

    >>> camel("experiment_id"), camel("on_oom"), camel("from_"), camel("n_d")
    ('experimentID', 'onOOM', 'from', 'nD')
    """
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(_INITIALISMS.get(word, word[:1].upper() + word[1:]) for word in rest)


class InvalidManifest(ValueError):  # noqa: N818 - reads as what it is in `except`
    """A manifest breaks the contract; `problems` has a line a field, each starting with the field's path."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ApiModel(BaseModel):
    """Base of all API types: `rules` are its CEL rules, the strings under its fields describe them."""

    model_config = ConfigDict(
        alias_generator=camel,
        validate_by_name=True,
        validate_by_alias=True,
        frozen=True,
        extra="ignore",
        defer_build=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    def to_kubernetes(self, *, defaults: bool = True) -> dict[str, Any]:
        """Plain JSON-ready dict with camelCase keys and no nulls.

        Args:
            defaults: False leaves out what was not given: a manifest comes back as its author wrote it.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=not defaults)

    @classmethod
    def strict(cls, body: object) -> Self:
        """Read what a person wrote: unknown fields and broken rules are errors.

        Raises:
            InvalidManifest: with one line for each problem.
        """
        try:
            parsed = cls.model_validate(body, extra="forbid")
        except ValidationError as error:
            raise InvalidManifest([_line(e["loc"], e["msg"], e["type"]) for e in error.errors()]) from None
        if problems := list(violations(parsed)):
            raise InvalidManifest(problems)
        return parsed

    @classmethod
    @override
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add what the CRD needs and pydantic does not know: CEL rules, and descriptions from docstrings."""
        from trainyard.api.docs import attribute_docs, summary

        schema = handler.resolve_ref_schema(handler(core))
        schema["description"] = summary(cls)
        docs = attribute_docs(cls)
        for name, field in cls.model_fields.items():
            alias = field.alias or name
            if name in docs:
                schema["properties"][alias]["description"] = docs[name]
        if cls.rules:
            schema["x-kubernetes-validations"] = [rule.to_kubernetes() for rule in cls.rules]
        return schema


def violations(value: object, path: str = "") -> Iterator[str]:
    """Yield a line for each CEL rule that the object, or one inside it, breaks."""
    if isinstance(value, ApiModel):
        for rule in value.rules:
            if rule.check is not None and not rule.check(value):
                where = path + (rule.field or "")
                yield f"{where.lstrip('.') or 'manifest'}: {rule.message}"
        for name, field in type(value).model_fields.items():
            yield from violations(getattr(value, name), f"{path}.{field.alias or name}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from violations(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from violations(item, f"{path}[{key}]")


def _line(loc: tuple[int | str, ...], message: str, kind: str) -> str:
    """Spell pydantic's location as a path in the manifest."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    text = "no such field" if kind == "extra_forbidden" else message
    return f"{path or 'manifest'}: {text}"
