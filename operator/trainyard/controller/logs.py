"""Logs as one JSON object a line on stderr, for machines to collect; bodies of objects never appear."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import ClassVar

from typing_extensions import override


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, and the few extra fields that our own calls give."""

    extras: ClassVar[tuple[str, ...]] = ("key", "reason", "attempt")

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update({name: getattr(record, name) for name in self.extras if hasattr(record, name)})
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def configure(level: str) -> None:
    """Send everything through the formatter; kopf speaks only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(
        level=logging.getLevelNamesMapping().get(level, logging.INFO), handlers=[handler], force=True
    )
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # It runs outside the main thread on purpose and would warn that it sees no signals.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
