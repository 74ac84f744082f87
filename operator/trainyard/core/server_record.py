"""The status of a ModelServer as a value: read tolerantly, changed by `replace`, written whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from trainyard.api.states import ServerState
from trainyard.core.conditions import Condition, format_time, parse_conditions, parse_time
from trainyard.core.reading import count, mapping, mappings, text, whole
from trainyard.core.serving_observed import Release
from trainyard.core.tags import parse_version

HISTORY = 20
"""Versions that status.history remembers."""


@dataclass(frozen=True, slots=True)
class Failed:
    """status.failedTarget: a version that is not tried again."""

    version: int
    reason: str
    message: str = ""
    time: datetime | None = None

    @classmethod
    def parse(cls, value: object) -> Failed | None:
        """Read it; without a version there is none."""
        body = mapping(value)
        version = parse_version(body.get("version"))
        if version is None:
            return None
        reason, message = text(body.get("reason")), text(body.get("message"))
        return cls(version, reason or "RolloutFailed", message, parse_time(body.get("time")))

    def to_dict(self) -> dict[str, Any]:
        """As status.failedTarget."""
        time = self.time and format_time(self.time)
        body = {"version": str(self.version), "reason": self.reason, "message": self.message, "time": time}
        return {k: v for k, v in body.items() if v}


@dataclass(frozen=True, slots=True)
class Served:
    """An entry of status.history."""

    version: int
    since: datetime
    until: datetime | None = None
    sha256: str = ""
    uri: str = ""
    promoted_by: str = ""
    message: str = ""

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Served | None:
        """Read it; without a version and a time it is none."""
        version, since = parse_version(body.get("version")), parse_time(body.get("since"))
        if version is None or since is None:
            return None
        return cls(
            version,
            since,
            parse_time(body.get("until")),
            text(body.get("sha256")),
            text(body.get("artifactURI")),
            text(body.get("promotedBy")),
            text(body.get("message")),
        )

    @property
    def release(self) -> Release | None:
        """What its pods were pinned to, where that is remembered."""
        return Release(self.version, self.uri, self.sha256) if self.uri and self.sha256 else None

    def to_dict(self) -> dict[str, Any]:
        """As an entry of status.history."""
        body = {
            "version": str(self.version),
            "sha256": self.sha256,
            "artifactURI": self.uri,
            "promotedBy": self.promoted_by,
            "since": format_time(self.since),
            "until": self.until and format_time(self.until),
            "message": self.message,
        }
        return {k: v for k, v in body.items() if v}


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """What the status says."""

    state: ServerState | None = None
    reason: str = ""
    message: str = ""
    generation: int = 0
    serving: int | None = None
    target: int | None = None
    target_since: datetime | None = None
    failed: Failed | None = None
    url: str = ""
    replicas: int = 0
    ready: int = 0
    selector: str = ""
    history: tuple[Served, ...] = ()
    conditions: tuple[Condition, ...] = ()

    @classmethod
    def parse(cls, status: Mapping[str, Any], now: datetime) -> ServerRecord:
        """Read a status; malformed parts count as absent."""
        state = text(status.get("state"))
        history = [Served.parse(entry) for entry in mappings(status.get("history"))]
        return cls(
            state=ServerState(state) if state in set(ServerState) else None,
            reason=text(status.get("reason")),
            message=text(status.get("message")),
            generation=whole(status.get("observedGeneration")),
            serving=parse_version(status.get("servingVersion")),
            target=parse_version(status.get("targetVersion")),
            target_since=parse_time(status.get("targetSince")),
            failed=Failed.parse(status.get("failedTarget")),
            url=text(status.get("url")),
            replicas=count(status.get("replicas")),
            ready=count(status.get("readyReplicas")),
            selector=text(status.get("selector")),
            history=tuple(entry for entry in history if entry is not None)[:HISTORY],
            conditions=parse_conditions(status.get("conditions"), now),
        )

    def remembered(self, version: int) -> Release | None:
        """The release of a version that served before."""
        found = (entry.release for entry in self.history if entry.version == version)
        return next((release for release in found if release is not None), None)

    def promoted(self, release: Release, by: str, message: str, now: datetime) -> ServerRecord:
        """The record with another version serving; the one before gets its end."""
        now = now.replace(microsecond=0)
        entry = Served(release.version, now, None, release.sha256, release.uri, by[:128], message)
        before = [
            replace(old, until=old.until or now) if not i else old for i, old in enumerate(self.history)
        ]
        return replace(
            self,
            serving=release.version,
            target=release.version,
            target_since=None,
            history=(entry, *before)[:HISTORY],
        )

    def to_status(self) -> dict[str, Any]:
        """The whole status; `replicas` and `readyReplicas` show their zero in the columns."""
        entries = {
            "observedGeneration": self.generation,
            "state": self.state and self.state.value,
            "reason": self.reason,
            "message": self.message,
            "servingVersion": self.serving and str(self.serving),
            "targetVersion": self.target and str(self.target),
            "targetSince": self.target_since and format_time(self.target_since),
            "failedTarget": self.failed and self.failed.to_dict(),
            "url": self.url,
            "replicas": self.replicas,
            "readyReplicas": self.ready,
            "selector": self.selector,
            "history": [entry.to_dict() for entry in self.history],
            "conditions": [c.to_dict() for c in self.conditions],
        }
        return {k: v for k, v in entries.items() if v or k in {"replicas", "readyReplicas"}}
