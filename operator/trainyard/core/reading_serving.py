"""From API bodies to the facts of promotion and serving; as in `reading`, nothing is raised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainyard.api.names import (
    ANNOTATION_ARTIFACT_URI,
    ANNOTATION_DEPLOYMENT,
    ANNOTATION_SHA256,
    LABEL_VERSION,
)
from trainyard.api.states import PromotionState, Reason
from trainyard.core.conditions import clip, parse_time
from trainyard.core.reading import count, holding, mapping, mappings, text, whole
from trainyard.core.serving_observed import (
    DeploymentFacts,
    OfferFacts,
    Release,
    ServerFacts,
    VerifyFacts,
)
from trainyard.core.standing import Standing, Wish
from trainyard.core.tags import parse_version

_SOURCES = ("version", "promotions", "follow")
_OFFERED = {PromotionState.ROLLING_OUT, PromotionState.VERIFYING}


def source_of(spec: Mapping[str, Any]) -> str:
    """Which member of spec.source is set; nothing when not exactly one is."""
    source = mapping(spec.get("source"))
    found = [kind for kind in _SOURCES if source.get(kind) is not None]
    return found[0] if len(found) == 1 else ""


def server_facts(body: Mapping[str, Any]) -> ServerFacts:
    """Read a ModelServer as a TrainingJob sees it."""
    spec, status = mapping(body.get("spec")), mapping(body.get("status"))
    failed, history = mapping(status.get("failedTarget")), mappings(status.get("history"))
    served = [parse_version(entry.get("version")) for entry in history]
    return ServerFacts(
        source=source_of(spec),
        model=text(spec.get("model")),
        pinned=parse_version(mapping(spec.get("source")).get("version")),
        serving=parse_version(status.get("servingVersion")),
        serving_since=parse_time(history[0].get("since")) if history else None,
        served=tuple(v for v in served if v is not None),
        target=parse_version(status.get("targetVersion")),
        verifying=status.get("reason") == Reason.VERIFYING,
        failed=parse_version(failed.get("version")),
        failed_reason=text(failed.get("reason")),
        failed_message=text(failed.get("message")),
    )


def offer(body: Mapping[str, Any], model: str) -> OfferFacts | None:
    """What a TrainingJob offers to the ModelServer of a model, if anything."""
    meta, promotion = mapping(body.get("metadata")), mapping(mapping(body.get("status")).get("promotion"))
    wish = mapping(mapping(body.get("spec")).get("promotion"))
    version = parse_version(promotion.get("version"))
    if wish.get("model") != model or promotion.get("state") not in _OFFERED or version is None:
        return None
    name = text(meta.get("name"))
    wished = Wish.read(mapping(body.get("spec")))
    figures = Standing.parse(promotion).numbers(wished) if wished is not None else ""
    return OfferFacts(version, f"TrainingJob/{name}", figures)


def deployment(body: Mapping[str, Any], *, in_order: bool, trouble: str = "") -> DeploymentFacts:
    """Read a Deployment.

    Args:
        body: as the API server gives it.
        in_order: it is what would be rendered now for the release that it names.
        trouble: what its pods say about why they are not ready.
    """
    meta, spec, status = (mapping(body.get(k)) for k in ("metadata", "spec", "status"))
    return DeploymentFacts(
        uid=text(meta.get("uid")),
        generation=whole(meta.get("generation")),
        release=pinned_release(body),
        in_order=in_order,
        observed_generation=whole(status.get("observedGeneration")),
        replicas=count(whole(spec.get("replicas"), 1)),
        total=count(status.get("replicas")),
        updated=count(status.get("updatedReplicas")),
        ready=count(status.get("readyReplicas")),
        available=count(status.get("availableReplicas")),
        trouble=trouble,
    )


def pinned_release(body: Mapping[str, Any]) -> Release:
    """The release that a Deployment's template is pinned to."""
    template = mapping(mapping(mapping(body.get("spec")).get("template")).get("metadata"))
    labels, notes = mapping(template.get("labels")), mapping(template.get("annotations"))
    return Release(
        version=parse_version(labels.get(LABEL_VERSION)) or 0,
        uri=text(notes.get(ANNOTATION_ARTIFACT_URI)),
        sha256=text(notes.get(ANNOTATION_SHA256)),
    )


def verification(body: Mapping[str, Any], last_word: str = "") -> VerifyFacts:
    """Read a verify Job; `last_word` is the termination message of its pod, where one was found."""
    meta, status = mapping(body.get("metadata")), mapping(body.get("status"))
    asked, _, generation = text(mapping(meta.get("annotations")).get(ANNOTATION_DEPLOYMENT)).partition("/")
    conditions = holding(status)
    why = mapping(conditions.get("Failed"))
    return VerifyFacts(
        name=text(meta.get("name")),
        uid=text(meta.get("uid")),
        version=parse_version(mapping(meta.get("labels")).get(LABEL_VERSION)) or 0,
        deployment_uid=asked,
        generation=parse_version(generation) or 0,
        succeeded="Complete" in conditions,
        failed="Failed" in conditions,
        message=clip(_said(last_word) or text(why.get("message")), 500),
        deleting=bool(meta.get("deletionTimestamp")),
    )


def _said(last_word: str) -> str:
    """The message in a verifier's last word; a log's tail speaks for itself."""
    try:
        body = json.loads(last_word)
    except (ValueError, RecursionError):
        return last_word.strip()
    return text(mapping(body).get("message")) or last_word.strip()
