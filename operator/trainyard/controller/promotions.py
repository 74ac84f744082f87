"""Which TrainingJobs are on their way into which model: whom a ModelServer asks, and whom its news concern.

Filled by watch and resync: a ModelServer need not list all TrainingJobs of its namespace in each pass.
Nothing is decided on it: what it names is read live.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.api.names import MODELSERVER
from trainyard.api.states import PromotionState, State
from trainyard.controller.watched import Key
from trainyard.core.reading import mapping, text

_FINAL = {PromotionState.REJECTED, PromotionState.PROMOTED, PromotionState.ROLLED_BACK}
_OFFERED = {PromotionState.ROLLING_OUT, PromotionState.VERIFYING}


@dataclass(frozen=True, slots=True)
class Promotion:
    """How far the result of a TrainingJob is."""

    model: str
    state: str = ""
    version: str = ""


def promotion_of(body: Mapping[str, Any]) -> Promotion | None:
    """Read the promotion of a TrainingJob; None when it wants none, is not due yet or is over."""
    model = text(mapping(mapping(body.get("spec")).get("promotion")).get("model"))
    status = mapping(body.get("status"))
    found = mapping(status.get("promotion"))
    if not model or status.get("state") != State.SUCCEEDED or found.get("state") in _FINAL:
        return None
    return Promotion(model, text(found.get("state")), text(found.get("version")))


class Promotions:
    """Promotions that are under way. Only used on the main loop."""

    def __init__(self) -> None:
        self._found: dict[Key, Promotion] = {}

    def see(self, job: Key, promotion: Promotion | None) -> tuple[Key, ...]:
        """A TrainingJob was seen; the result names the ModelServers that this is news to."""
        before = self._found.pop(job, None)
        if promotion is not None:
            self._found[job] = promotion
        if before == promotion:
            return ()
        models = {p.model for p in (before, promotion) if p is not None}
        return tuple(Key(MODELSERVER.kind, job.namespace, model) for model in sorted(models))

    def under_way(self, server: Key) -> tuple[Key, ...]:
        """TrainingJobs whose promotion waits for a ModelServer."""
        return self._of(server.namespace, server.name, offered=False)

    def offering(self, namespace: str, model: str) -> tuple[Key, ...]:
        """TrainingJobs that offer a version of a model."""
        return self._of(namespace, model, offered=True)

    def _of(self, namespace: str, model: str, *, offered: bool) -> tuple[Key, ...]:
        found = (
            key
            for key, p in self._found.items()
            if p.model == model and key.namespace == namespace and (not offered or p.state in _OFFERED)
        )
        return tuple(sorted(found, key=str))
