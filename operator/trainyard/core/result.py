"""The trainer's last word: JSON in the termination message. Whatever stands there, reading never fails."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainyard.core.conditions import clip
from trainyard.core.reading import mapping, text

_METRICS = 128
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGESTS = ("dataDigest", "holdoutDigest")


@dataclass(frozen=True, slots=True)
class Result:
    """What a trainer said when it ended."""

    cause: str = ""
    message: str = ""
    remedy: str = ""
    mlflow: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)


def parse_result(last_word: str) -> Result | None:
    """Read a termination message; None when it is not a result (a log's tail, a cut document, nothing)."""
    try:
        body = json.loads(last_word)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, Mapping) or "formatVersion" not in body:
        return None
    return Result(
        cause=text(body.get("cause")),
        message=clip(text(body.get("message"))),
        remedy=clip(text(body.get("remedy"))),
        mlflow=_mlflow(body),
        metrics=_metrics(mapping(body.get("metrics"))),
        data=_data(mapping(body.get("data"))),
    )


def _mlflow(body: Mapping[str, Any]) -> dict[str, str]:
    limits = {"experimentID": 64, "runID": 64, "modelURI": 1024}
    found = {
        name: text(body.get(name)) for name, limit in limits.items() if 0 < len(text(body.get(name))) <= limit
    }
    if _SHA256.fullmatch(text(body.get("modelSHA256"))):
        found["modelSHA256"] = text(body.get("modelSHA256"))
    return found


def _metrics(values: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for name, value in list(values.items())[:_METRICS]:
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
        if number and math.isfinite(value) and _is_metric_name(name):
            found[name] = float(value)
    return found


def _is_metric_name(name: object) -> bool:
    return (
        isinstance(name, str)
        and 0 < len(name) <= 128
        and name.isascii()
        and name.isidentifier()
        and name[0] != "_"
    )


def _data(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {k: text(values.get(k))[:128] for k in _DIGESTS if text(values.get(k))}
    rows = values.get("rows")
    if isinstance(rows, int) and not isinstance(rows, bool) and 0 <= rows < 2**53:
        found["rows"] = rows
    return found
