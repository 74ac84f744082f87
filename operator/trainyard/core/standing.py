"""What a manifest wishes for its result, and where the result stands: spec.promotion and status.promotion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from trainyard.api.states import PromotionState, Reason
from trainyard.core.conditions import format_time, parse_time
from trainyard.core.gate import number, show
from trainyard.core.reading import mapping, text, whole
from trainyard.core.tags import parse_version

_FINAL = frozenset({PromotionState.REJECTED, PromotionState.PROMOTED, PromotionState.ROLLED_BACK})


@dataclass(frozen=True, slots=True)
class Wish:
    """spec.promotion, read tolerantly."""

    model: str
    mode: str
    gate: Mapping[str, Any]
    serving: Mapping[str, Any]
    cooldown: int

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> Wish | None:
        """Read it; None when nothing is wished."""
        body = mapping(spec.get("promotion"))
        if not text(body.get("model")):
            return None
        return cls(
            model=text(body.get("model")),
            mode=text(body.get("mode")) or "Manual",
            gate=mapping(body.get("gate")),
            serving=mapping(body.get("serving")),
            cooldown=min(max(0, whole(body.get("cooldownSeconds"))), 10**9),
        )

    @property
    def automatic(self) -> bool:
        """What passes the gate rolls out by itself."""
        return self.mode == "Automatic"

    @property
    def register_only(self) -> bool:
        """The result becomes a version and nothing more."""
        return self.mode == "Never"

    @property
    def passed_state(self) -> PromotionState:
        """Where a result stands that has just passed the gate."""
        if self.register_only:
            return PromotionState.PENDING
        return PromotionState.ROLLING_OUT if self.automatic else PromotionState.AWAITING_APPROVAL

    def server_spec(self) -> dict[str, Any]:
        """The ModelServer that is created when there is none."""
        return {"model": self.model, "source": {"promotions": {}}, **self.serving}


@dataclass(frozen=True, slots=True)
class Standing:
    """status.promotion as a value."""

    state: PromotionState | None = None
    model: str = ""
    version: int | None = None
    reason: str = ""
    message: str = ""
    candidate: float | None = None
    champion: float | None = None
    champion_version: int | None = None
    time: datetime | None = None

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Standing:
        """Read it; malformed parts count as absent."""
        state = text(body.get("state"))
        return cls(
            state=PromotionState(state) if state in set(PromotionState) else None,
            model=text(body.get("model")),
            version=parse_version(body.get("version")),
            reason=text(body.get("reason")),
            message=text(body.get("message")),
            candidate=number(body.get("candidateValue")),
            champion=number(body.get("championValue")),
            champion_version=parse_version(body.get("championVersion")),
            time=parse_time(body.get("time")),
        )

    @property
    def passed(self) -> bool:
        """The gate has let it through, once and for good."""
        return self.state not in (None, PromotionState.EVALUATING, PromotionState.REJECTED)

    def over(self, wish: Wish) -> bool:
        """Nothing is left to do."""
        registered = wish.register_only and self.version is not None and self.reason == Reason.REGISTERED
        return self.state in _FINAL or registered

    def to(self, state: PromotionState | None, reason: Reason, message: str) -> Standing:
        """The same result, further on."""
        return replace(self, state=state, reason=reason.value, message=message)

    def numbers(self, wish: Wish) -> str:
        """The gate's figures in a few words, for messages after the gate."""
        metric = text(wish.gate.get("metric"))
        if self.candidate is None or not metric:
            return ""
        if self.champion is None or self.champion_version is None:
            return f"{metric} is {show(self.candidate, self.candidate)[0]}"
        mine, theirs = show(self.candidate, self.champion)
        return f"{metric} is {mine}; {theirs} was version {self.champion_version}'s"

    def to_dict(self) -> dict[str, Any]:
        """As status.promotion."""
        entries = {
            "state": self.state and self.state.value,
            "model": self.model or None,
            "version": self.version and str(self.version),
            "reason": self.reason or None,
            "message": self.message or None,
            "candidateValue": self.candidate,
            "championValue": self.champion,
            "championVersion": self.champion_version and str(self.champion_version),
            "time": self.time and format_time(self.time),
        }
        return {k: v for k, v in entries.items() if v is not None}
