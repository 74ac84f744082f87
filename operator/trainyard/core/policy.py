"""The few knobs of a spec that decisions turn on, and the checks that the API server cannot make.

Knobs are read tolerantly (an older operator meets newer objects, and `decide` is total); `problems` is the
strict reading, asked once before an attempt is begun.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.core.conditions import clip
from trainyard.core.quantity import parse_quantity
from trainyard.core.reading import mapping, mappings, text, whole

DEFAULT_MEMORY = "4Gi"
"""Memory limit of a trainer pod whose manifest is silent."""
NODES_MAX = 1024
"""Most pods of an attempt, as the CRD bounds them."""
SPEC_LIMIT = 256 * 1024
"""Largest spec, as JSON, that is copied into a ConfigMap; the CRD's bounds keep real ones far below."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How the run behaves over time."""

    suspend: bool
    backoff_limit: int
    deadline_seconds: int | None
    ttl_seconds: int | None
    node_lost_seconds: int
    dependency_timeout_seconds: int
    queue_name: str
    memory: int | None
    """Memory limit of the manifest, in bytes."""
    memory_factor: float | None
    max_memory: int | None
    nodes: int
    service_account: str


def read_policy(spec: Mapping[str, Any]) -> Policy:
    """Read the knobs; whatever is malformed counts as silent."""
    run, compute = mapping(spec.get("runPolicy")), mapping(spec.get("compute"))
    oom = mapping(run.get("onOOM"))
    resources = mapping(compute.get("resources"))
    limit = mapping(resources.get("limits")).get("memory")
    request = mapping(resources.get("requests")).get("memory")
    factor = oom.get("memoryFactor")
    numeric = isinstance(factor, int | float) and not isinstance(factor, bool) and 1 < factor <= 100
    return Policy(
        suspend=run.get("suspend") is True,
        backoff_limit=max(0, whole(run.get("backoffLimit"), 3)),
        deadline_seconds=_positive(run.get("activeDeadlineSeconds")),
        ttl_seconds=_natural(run.get("ttlSecondsAfterFinished")),
        node_lost_seconds=_positive(run.get("nodeLostSeconds")) or 300,
        dependency_timeout_seconds=_or(_natural(run.get("dependencyTimeoutSeconds")), 3600),
        queue_name=text(run.get("queueName")),
        memory=parse_quantity(limit if limit is not None else request) or parse_quantity(DEFAULT_MEMORY),
        memory_factor=float(factor) if numeric and factor is not None else None,
        max_memory=parse_quantity(oom.get("maxMemory")),
        nodes=min(max(1, whole(compute.get("nodes"), 1)), NODES_MAX),
        service_account=text(compute.get("serviceAccountName")),
    )


def problems(spec: Mapping[str, Any]) -> list[str]:
    """What is wrong with a spec that the API server let pass; each line names the field and the remedy."""
    from pydantic import ValidationError

    from trainyard.api.trainingjob import TrainingJobSpec

    try:
        size = len(json.dumps(spec, default=str))
        TrainingJobSpec.model_validate(spec)
    except ValidationError as error:
        return [f"spec.{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()[:5]]
    except (RecursionError, ValueError, TypeError) as error:
        return [clip(f"spec: cannot be read ({error}); apply the manifest again with kubectl apply", 300)]
    found = (
        [] if size <= SPEC_LIMIT else [f"spec: {size} bytes; at most {SPEC_LIMIT} fit, so shorten its lists"]
    )
    return found + _unsupported(spec) + _volumes(mapping(mapping(spec.get("compute")).get("podTemplate")))


def _unsupported(spec: Mapping[str, Any]) -> list[str]:
    gate = mapping(mapping(spec.get("promotion")).get("gate"))
    asked = [name for name in ("confidence", "minHoldoutRows") if gate.get(name)]
    return [f"spec.promotion.gate.{name}: is not checked in this version; remove it" for name in asked]


def _volumes(template: Mapping[str, Any]) -> list[str]:
    found = []
    names = [text(v.get("name")) for v in mappings(template.get("volumes"))]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        found.append(f"spec.compute.podTemplate.volumes: {', '.join(twice)} named twice; names must differ")
    mounts = mappings(template.get("volumeMounts"))
    if missing := sorted({text(m.get("name")) for m in mounts} - set(names)):
        found.append(
            f"spec.compute.podTemplate.volumeMounts: no volume {', '.join(missing)}; add it to volumes"
        )
    paths = [text(m.get("mountPath")) for m in mounts]
    if twice := sorted({p for p in paths if paths.count(p) > 1}):
        found.append(f"spec.compute.podTemplate.volumeMounts: {', '.join(twice)} mounted twice; keep one")
    return found


def _natural(value: object) -> int | None:
    number = whole(value, -1)
    return min(number, 10**9) if number >= 0 else None


def _positive(value: object) -> int | None:
    return _natural(value) or None


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
