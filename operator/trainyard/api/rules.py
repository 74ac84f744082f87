"""Rules across fields, each said twice: in CEL for the API server, in Python for manifests read without one.

A contract test runs every rule's cases through both, so the two cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """One x-kubernetes-validations entry of an object."""

    cel: str
    message: str
    """Says what is wrong and what to write instead; shown to the author of the manifest."""
    check: Callable[[Any], bool] | None
    """The same rule on the parsed model; None for rules about updates, which only a server can see."""
    field: str | None = None
    """Path below the object (`.compute`) that the error points to."""

    def to_kubernetes(self) -> dict[str, str]:
        """The entry as the CRD carries it."""
        entry = {"rule": self.cel, "message": self.message}
        if self.field is not None:
            entry["fieldPath"] = self.field
        return entry


def exactly_one(*fields: str) -> Rule:
    """Make an object a union: one of its optional members is set, no more and no less."""
    return Rule(
        cel=f"[{_has(fields)}].exists_one(x, x)",
        message=f"exactly one of {', '.join(fields)} must be set",
        check=lambda value: _count(value, fields) == 1,
    )


def at_most_one(*fields: str) -> Rule:
    """Forbid two members that contradict each other."""
    return Rule(
        cel=f"[{_has(fields)}].filter(x, x).size() <= 1",
        message=f"at most one of {', '.join(fields)} may be set",
        check=lambda value: _count(value, fields) <= 1,
    )


def at_least_one(*fields: str) -> Rule:
    """Refuse an object that says nothing."""
    return Rule(
        cel=f"[{_has(fields)}].exists(x, x)",
        message=f"at least one of {', '.join(fields)} must be set",
        check=lambda value: _count(value, fields) >= 1,
    )


def immutable(field: str, *, why: str) -> Rule:
    """Fix an optional or required member at creation; adding or removing it later is a change too."""
    here, before = f"self.{field}", f"oldSelf.{field}"
    return Rule(
        cel=f"has({here}) == has({before}) && (!has({here}) || {here} == {before})",
        message=f"{field} is immutable: {why}",
        check=None,
        field=f".{field}",
    )


def _has(fields: tuple[str, ...]) -> str:
    return ", ".join(f"has(self.{cel_name(name)})" for name in fields)


def cel_name(name: str) -> str:
    """Escape a property name as Kubernetes' CEL wants it.

    >>> cel_name("float"), cel_name("in"), cel_name("from")
    ('float', '__in__', 'from')
    """
    return f"__{name}__" if name in _RESERVED else name


_RESERVED = frozenset(
    keyword
    for line in (
        "true false null in as break const continue else for function if import let loop",
        "package namespace return var void while",
    )
    for keyword in line.split()
)


def _count(value: Any, fields: tuple[str, ...]) -> int:
    by_alias = {(field.alias or name): name for name, field in type(value).model_fields.items()}
    return sum(getattr(value, by_alias[alias]) is not None for alias in fields)
