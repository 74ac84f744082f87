"""Whether a live object is as it was rendered, so that an object in order is never written again.

The hash tells that we changed our mind, the subset that somebody else changed the object. What the API server
adds (defaults, addresses, injected containers) is no difference.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from trainyard.api.names import ANNOTATION_HASH
from trainyard.core.quantity import parse_quantity
from trainyard.core.reading import mapping

_SILENT = (None, "", False, 0)
"""Values that an API server may leave out."""


def hashed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The object with the hash of itself as an annotation."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
    meta = mapping(body.get("metadata"))
    annotations = {**mapping(meta.get("annotations")), ANNOTATION_HASH: digest}
    return {**body, "metadata": {**meta, "annotations": annotations}}


def in_order(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether everything that was rendered stands in the live object."""
    return _covers(live, wanted)


def _covers(live: object, wanted: object) -> bool:
    if isinstance(wanted, Mapping):
        found = mapping(live)
        return all(_covers(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(live, list) and _covers_list(live, wanted)
    if wanted in _SILENT and live in _SILENT:
        return True
    return live == wanted or _same_amount(live, wanted)


def _covers_list(live: list[Any], wanted: list[Any]) -> bool:
    """Named entries are found by name, whoever stands beside them; other lists are compared in order."""
    named = all(isinstance(entry, Mapping) and "name" in entry for entry in wanted)
    if not named:
        return len(live) == len(wanted) and all(map(_covers, live, wanted))
    by_name = {mapping(entry).get("name"): entry for entry in live}
    return all(_covers(by_name.get(entry["name"]), entry) for entry in wanted)


def _same_amount(live: object, wanted: object) -> bool:
    """Quantities are the same when they mean the same: the API server writes 1000m as 1."""
    exact = _exact(live), _exact(wanted)
    if None not in exact:
        return exact[0] == exact[1]
    amounts = parse_quantity(live), parse_quantity(wanted)
    return None not in amounts and amounts[0] == amounts[1]


def _exact(value: object) -> Decimal | None:
    """The number of a quantity without a binary suffix; thousandths are not rounded."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    try:
        return Decimal(text[:-1]) / 1000 if text.endswith("m") else Decimal(text)
    except InvalidOperation:
        return None
