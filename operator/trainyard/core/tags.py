"""How a registered model and its versions are tagged in MLflow, both ways: what we write is what we read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from trainyard.core.reading import text
from trainyard.core.serving_observed import VersionFacts

TAG_CLAIM: Final = "trainyard.modelserver"
TAG_UID: Final = "trainyard.uid"
TAG_SHA256: Final = "trainyard.sha256"
TAG_HOLDOUT: Final = "trainyard.holdoutDigest"
TAG_ARTIFACT_URI: Final = "trainyard.artifactURI"
TAG_METRIC: Final = "trainyard.metric."


def registered_name(namespace: str, model: str) -> str:
    """Name in the registry, which knows no namespaces.

    >>> registered_name("team-a", "adult")
    'team-a.adult'
    """
    return f"{namespace}.{model}"


def claim_of(namespace: str, server: str) -> str:
    """Value of the tag that says which ModelServer's versions these are."""
    return f"{namespace}/{server}"


def version_tags(uid: str, sha256: str, holdout: str, metrics: Mapping[str, Any]) -> dict[str, str]:
    """Tags of a version; the controller adds where the package lies."""
    tags = {TAG_UID: uid, TAG_SHA256: sha256, TAG_HOLDOUT: holdout}
    numbers = {f"{TAG_METRIC}{name}": repr(value) for name, value in metrics.items()}
    return {k: v for k, v in (tags | numbers).items() if v}


def version_facts(number: object, tags: Mapping[str, Any]) -> VersionFacts:
    """Read a version back; a version of someone else's making has none of this."""
    metrics = {k.removeprefix(TAG_METRIC): _number(v) for k, v in tags.items() if k.startswith(TAG_METRIC)}
    return VersionFacts(
        number=parse_version(str(number)) or 0,
        uid=text(tags.get(TAG_UID)),
        uri=text(tags.get(TAG_ARTIFACT_URI)),
        sha256=text(tags.get(TAG_SHA256)),
        holdout_digest=text(tags.get(TAG_HOLDOUT)),
        metrics={k: v for k, v in metrics.items() if v is not None},
    )


def parse_version(value: object) -> int | None:
    """Read a version as a status or a spec spells it.

    >>> parse_version("7"), parse_version("07"), parse_version(7), parse_version("")
    (7, None, None, None)
    """
    found = text(value)
    plain = found.isascii() and found.isdigit() and len(found) <= 18
    return int(found) if plain and found[0] != "0" else None


def _number(value: object) -> float | None:
    try:
        found = float(text(value))
    except ValueError:
        return None
    return found if not math.isinf(found) else None
