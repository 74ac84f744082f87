"""One of our own custom resources as it is: what every kind has, whatever its spec and status hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from trainyard.core.conditions import parse_time
from trainyard.core.reading import mapping, text, whole


@dataclass(frozen=True, slots=True)
class Resource:
    """What a person wrote, and what was last written about it."""

    namespace: str
    name: str
    uid: str
    generation: int
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    created: datetime | None = None
    deleting: bool = False
    resource_version: str = ""
    """What a status write must still find, so that nobody's newer word is overwritten."""

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Read a body; whatever it holds or lacks, a fact comes out and nothing is raised."""
        meta = mapping(body.get("metadata"))
        return cls(
            namespace=text(meta.get("namespace")),
            name=text(meta.get("name")),
            uid=text(meta.get("uid")),
            generation=whole(meta.get("generation")),
            spec=mapping(body.get("spec")),
            status=mapping(body.get("status")),
            created=parse_time(meta.get("creationTimestamp")),
            deleting=bool(meta.get("deletionTimestamp")),
            resource_version=text(meta.get("resourceVersion")),
        )


class TrainingJob(Resource):
    """A TrainingJob."""

    __slots__ = ()


class ModelServer(Resource):
    """A ModelServer."""

    __slots__ = ()
