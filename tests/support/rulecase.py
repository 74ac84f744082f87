"""One rule of the API as a test case: what it accepts, what it refuses, and the field it must name."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from tests.support.manifests import DESIGNED, Manifest

DELETE = object()


@dataclass(frozen=True)
class RuleCase:
    """One rule.

    Attributes:
        kind: whose manifest is changed.
        refused: places and their new values that break the rule; DELETE removes.
        says: what the message must contain, besides the field.
        field: the field that the message must name.
        accepted: a change of the same places that keeps the rule.
    """

    kind: str
    refused: dict[str, Any]
    field: str
    says: str
    accepted: dict[str, Any]

    @override
    def __str__(self) -> str:
        return f"{self.kind}-{self.says[:60]}"


def changed(manifest: Manifest, changes: dict[str, Any]) -> Manifest:
    """A copy of a manifest with places set or removed."""
    out = copy.deepcopy(manifest)
    for place, value in changes.items():
        *parents, last = [int(p) if p.isdigit() else p for p in re.findall(r"[^.\[\]]+", place)]
        here: Any = out
        for part in parents:
            here = here[part] if isinstance(part, int) else here.setdefault(part, {})
        if value is DELETE:
            here.pop(last, None)
        elif isinstance(here, list) and last == len(here):
            here.append(value)
        else:
            here[last] = copy.deepcopy(value)
    return out


def manifest_of(case: RuleCase, *, refused: bool) -> Manifest:
    """The manifest of one side of a case."""
    return changed(DESIGNED[case.kind], case.refused if refused else case.accepted)
