"""The operator's own part of a status, as a value: read tolerantly, changed by `replace`, written whole.

`progress` and `trials` are the coordinator's and appear nowhere here, which keeps the two managers apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from trainyard.api.states import ConditionType, State
from trainyard.core.conditions import (
    Condition,
    format_time,
    is_true,
    parse_conditions,
    parse_time,
)
from trainyard.core.quantity import parse_quantity
from trainyard.core.reading import count, mapping, text, whole

_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Retry:
    """Bookkeeping of attempts; durable before the attempt that it is about exists."""

    not_before: datetime | None = None
    memory: str = ""
    unknown: int = 0
    out_of_memory: int = 0
    dependency_since: datetime | None = None
    dependency_tries: int = 0
    run_seconds: int = 0
    """Running time of the attempts that ended."""
    job_uid: str = ""
    """uid of the attempt's Job, recorded with the first write after it was seen."""
    excluded_nodes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, value: object) -> Retry:
        """Read status.retry."""
        body = mapping(value)
        nodes = body.get("excludedNodes")
        return cls(
            not_before=parse_time(body.get("notBefore")),
            memory=text(body.get("memory")) if parse_quantity(body.get("memory")) else "",
            unknown=count(body.get("unknown")),
            out_of_memory=count(body.get("outOfMemory")),
            dependency_since=parse_time(body.get("dependencySince")),
            dependency_tries=count(body.get("dependencyTries")),
            run_seconds=count(body.get("runSeconds")),
            job_uid=text(body.get("jobUID")),
            excluded_nodes=tuple(filter(_is_name, nodes)) if isinstance(nodes, list) else (),
        )

    def to_dict(self) -> dict[str, Any]:
        """As status.retry."""
        return _present(
            {
                "notBefore": self.not_before and format_time(self.not_before),
                "memory": self.memory,
                "unknown": self.unknown,
                "outOfMemory": self.out_of_memory,
                "dependencySince": self.dependency_since and format_time(self.dependency_since),
                "dependencyTries": self.dependency_tries,
                "runSeconds": self.run_seconds,
                "jobUID": self.job_uid,
                "excludedNodes": list(self.excluded_nodes),
            }
        )


@dataclass(frozen=True, slots=True)
class Record:
    """What the status says, without the coordinator's part."""

    state: State | None = None
    reason: str = ""
    message: str = ""
    generation: int = 0
    attempt: int = 0
    restarts: int = 0
    conditions: tuple[Condition, ...] = ()
    retry: Retry = field(default_factory=Retry)
    last_failure: Mapping[str, Any] = field(default_factory=dict)
    mlflow: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    promotion: Mapping[str, Any] = field(default_factory=dict)
    start: datetime | None = None
    completion: datetime | None = None

    @classmethod
    def parse(cls, status: Mapping[str, Any], now: datetime) -> Record:
        """Read a status; malformed parts count as absent."""
        state = text(status.get("state"))
        return cls(
            state=State(state) if state in set(State) else None,
            reason=text(status.get("reason")),
            message=text(status.get("message")),
            generation=whole(status.get("observedGeneration")),
            attempt=count(status.get("attempt")),
            restarts=count(status.get("restarts")),
            conditions=parse_conditions(status.get("conditions"), now),
            retry=Retry.parse(status.get("retry")),
            last_failure=mapping(status.get("lastFailure")),
            mlflow=mapping(status.get("mlflow")),
            metrics=mapping(status.get("metrics")),
            data=mapping(status.get("data")),
            promotion=mapping(status.get("promotion")),
            start=parse_time(status.get("startTime")),
            completion=parse_time(status.get("completionTime")),
        )

    @property
    def terminal(self) -> bool:
        """Whether the job is over, by its state or by a condition that once held."""
        ended = (ConditionType.SUCCEEDED, ConditionType.FAILED)
        latched = self.state is not None and self.state.terminal
        return latched or any(is_true(self.conditions, kind) for kind in ended)

    def to_status(self) -> dict[str, Any]:
        """The operator's whole part of the status."""
        return _present(
            {
                "observedGeneration": self.generation,
                "state": self.state and self.state.value,
                "reason": self.reason,
                "message": self.message,
                "attempt": self.attempt,
                "restarts": self.restarts,
                "conditions": [c.to_dict() for c in self.conditions],
                "retry": self.retry.to_dict(),
                "lastFailure": dict(self.last_failure),
                "mlflow": dict(self.mlflow),
                "metrics": dict(self.metrics),
                "data": dict(self.data),
                "promotion": dict(self.promotion),
                "startTime": self.start and format_time(self.start),
                "completionTime": self.completion and format_time(self.completion),
            }
        )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 253 and _NAME.fullmatch(value) is not None


def _present(entries: dict[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing; `attempt` and `restarts` show their zero in the columns."""
    return {k: v for k, v in entries.items() if v or k in {"attempt", "restarts"}}
