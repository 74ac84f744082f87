"""Addresses as they may be logged: without passwords and without the signatures of links that expire."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_SECRET = re.compile(r"(?i)(sig|token|key|secret|passw|credential|auth|^x-amz-|^x-goog-|^s[a-z]$)")


def shown(uri: str) -> str:
    """The address without what only its owner should know; anything else as it is.

    >>> shown("https://me:hidden@host/a.csv?version=3&X-Amz-Signature=5f")
    'https://host/a.csv?version=3'
    """
    scheme, mark, _ = uri.partition("://")
    if not mark or scheme in ("sample", "pvc"):
        return uri
    try:
        parts = urlsplit(uri)
    except ValueError:
        return f"{scheme}://..."
    kept = [item for item in parts.query.split("&") if not _SECRET.search(item.partition("=")[0])]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="&".join(kept)))


def redacted(value: Any) -> Any:
    """A document in which every `uri` is as it may be shown."""
    if isinstance(value, dict):
        return {
            key: shown(item) if key == "uri" and isinstance(item, str) else redacted(item)
            for key, item in value.items()
        }
    return [redacted(item) for item in value] if isinstance(value, list) else value
