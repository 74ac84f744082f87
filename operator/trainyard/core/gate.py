"""The gate between a result and serving: a chain of small checks, each a finding with both numbers.

Whatever cannot be shown rejects: a missing metric, NaN, a champion measured on other rows. A tie keeps the
champion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from trainyard.api.states import Reason
from trainyard.core.conditions import sentences
from trainyard.core.reading import mapping, mappings, text
from trainyard.core.serving_observed import VersionFacts

_TOLERANCE = 1e-9
"""Differences below this share of the values are a tie, so that 0.902 is 0.002 above 0.9."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a training has to show."""

    uri: str
    sha256: str
    holdout_digest: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric and which way is better."""

    metric: str
    maximize: bool
    threshold: float | None = None

    def gain(self, new: float, old: float) -> float:
        """How much better the new value is."""
        return new - old if self.maximize else old - new

    def reaches(self, value: float, bound: float) -> bool:
        """Whether a value is at least as good as a bound."""
        return self.gain(value, bound) >= 0 or _tie(value, bound)


@dataclass(frozen=True, slots=True)
class Guard(Measure):
    """A metric that must not get worse by more than a margin."""

    max_regression: float = 0.0


@dataclass(frozen=True, slots=True)
class Gate(Measure):
    """The metric that decides, and its guards."""

    min_improvement: float = 0.0
    min_relative: float = 0.0
    guards: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    passed: bool
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says, and the numbers that it looked at."""

    passed: bool
    reason: Reason
    message: str
    candidate: float | None = None
    champion: float | None = None
    findings: tuple[Finding, ...] = field(default=(), compare=False)


def read_gate(spec: Mapping[str, Any]) -> Gate | None:
    """Read spec.promotion.gate; None when it names no metric."""
    measure = _measure(spec)
    if measure is None:
        return None
    guards = []
    for entry in mappings(spec.get("guards")):
        guard = _measure(entry)
        if guard is None:
            return None
        margin = number(entry.get("maxRegression")) or 0.0
        guards.append(Guard(guard.metric, guard.maximize, guard.threshold, max(0.0, margin)))
    return Gate(
        measure.metric,
        measure.maximize,
        measure.threshold,
        min_improvement=max(0.0, number(spec.get("minImprovement")) or 0.0),
        min_relative=max(0.0, number(spec.get("minRelativeImprovement")) or 0.0),
        guards=tuple(guards),
    )


def judge(gate: Gate | None, candidate: Candidate, champion: VersionFacts | None) -> Verdict:
    """Let a candidate pass, or say why not; the first finding against it counts.

    Args:
        gate: None lets every complete package pass.
        candidate: the result.
        champion: the version that serves now, None when none does.
    """
    findings: list[Finding] = []
    for check in _checks(gate, candidate, champion):
        findings.append(check())
        if not findings[-1].passed:
            break
    last = findings[-1]
    reason = Reason.GATE_PASSED if last.passed else last.reason
    message = sentences(*[f.message for f in findings if f.message]) if last.passed else last.message
    mine, theirs = _values(gate, candidate, champion)
    return Verdict(last.passed, reason, message or "No gate is set.", mine, theirs, tuple(findings))


def number(value: object) -> float | None:
    """A finite number, else nothing."""
    plain = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    return float(value) if plain and isinstance(value, int | float) else None


def show(first: float, second: float) -> tuple[str, str]:
    """Two numbers as people read them, with as many digits as tell them apart.

    >>> show(0.91, 0.9), show(0.123456789, 0.123456788)
    (('0.91', '0.9'), ('0.123456789', '0.123456788'))
    """
    texts = f"{first:.6g}", f"{second:.6g}"
    return texts if texts[0] != texts[1] or first == second else (repr(first), repr(second))


def _checks(
    gate: Gate | None, candidate: Candidate, champion: VersionFacts | None
) -> Iterator[Callable[[], Finding]]:
    """In the order of telling; a check may rely on those before it."""
    yield partial(_packaged, candidate)
    if gate is None:
        return
    yield partial(_thresholds, gate, candidate)
    if champion is not None:
        yield partial(_comparable, gate, candidate, champion)
        yield partial(_improved, gate, candidate, champion)
    for guard in gate.guards:
        yield partial(_thresholds, guard, candidate)
        if champion is not None:
            yield partial(_kept, guard, candidate, champion)


def _packaged(candidate: Candidate) -> Finding:
    whole = bool(candidate.uri and candidate.sha256)
    message = (
        "The result names no model package with its digest, so nothing can be served; look at the trainer's "
        "last word in status.message and at its log."
    )
    return Finding(whole, Reason.SIGNATURE_MISSING, "" if whole else message)


def _thresholds(measure: Measure, candidate: Candidate) -> Finding:
    value = number(candidate.metrics.get(measure.metric))
    if value is None:
        have = ", ".join(sorted(candidate.metrics)[:20]) or "none"
        message = f"The result has no finite {measure.metric}; it has {have}."
        return Finding(False, Reason.METRIC_MISSING, message)
    if measure.threshold is None:
        return Finding(True, Reason.GATE_PASSED, "")
    mine, bound = show(value, measure.threshold)
    if measure.reaches(value, measure.threshold):
        return Finding(True, Reason.GATE_PASSED, f"{measure.metric} {mine} meets the threshold {bound}")
    side = "below" if measure.maximize else "above"
    message = f"{measure.metric} {mine} is {side} the threshold {bound}."
    return Finding(False, Reason.THRESHOLD_NOT_MET, message)


def _comparable(gate: Gate, candidate: Candidate, champion: VersionFacts) -> Finding:
    name = f"Version {champion.number}, which serves,"
    mine, theirs = candidate.holdout_digest, champion.holdout_digest
    if not mine or mine != theirs:
        message = (
            f"{name} was measured on another hold-out ({_short(theirs)}) than this result ({_short(mine)}), "
            "so they cannot be compared; train with the same test rows, or pin a version in the ModelServer."
        )
        return Finding(False, Reason.CHAMPION_NOT_COMPARABLE, message)
    if number(champion.metrics.get(gate.metric)) is None:
        message = (
            f"{name} has no finite {gate.metric} in the registry; pin the new version in the ModelServer."
        )
        return Finding(False, Reason.CHAMPION_NOT_COMPARABLE, message)
    return Finding(True, Reason.GATE_PASSED, "")


def _improved(gate: Gate, candidate: Candidate, champion: VersionFacts) -> Finding:
    value, old = candidate.metrics[gate.metric], champion.metrics[gate.metric]
    margin = max(gate.min_improvement, gate.min_relative * abs(old))
    needed = old + margin if gate.maximize else old - margin
    mine, theirs = show(value, old)
    gain = gate.gain(value, old)
    better = gain > 0 and not _tie(value, old)
    if better and (gain >= margin or _tie(value, needed)):
        message = f"{gate.metric} {mine} is better than {theirs} of version {champion.number}"
        return Finding(True, Reason.GATE_PASSED, message)
    asked = f"; at least {'+' if gate.maximize else '-'}{margin:.6g} is asked for" if margin else ""
    word = f"only {abs(gain):.6g} better than" if better else "not better than"
    message = f"{gate.metric} {mine} is {word} {theirs} of version {champion.number}, which serves{asked}."
    return Finding(False, Reason.NO_IMPROVEMENT, message)


def _kept(guard: Guard, candidate: Candidate, champion: VersionFacts) -> Finding:
    value, old = candidate.metrics[guard.metric], number(champion.metrics.get(guard.metric))
    if old is None:
        message = f"Version {champion.number}, which serves, has no finite {guard.metric} in the registry."
        return Finding(False, Reason.CHAMPION_NOT_COMPARABLE, message)
    mine, theirs = show(value, old)
    bound = old - guard.max_regression if guard.maximize else old + guard.max_regression
    if guard.reaches(value, bound):
        return Finding(True, Reason.GATE_PASSED, f"{guard.metric} {mine} holds against {theirs}")
    message = (
        f"{guard.metric} {mine} is worse than {theirs} of version {champion.number}, which serves, by more "
        f"than {guard.max_regression:.6g}."
    )
    return Finding(False, Reason.GUARD_REGRESSED, message)


def _measure(spec: Mapping[str, Any]) -> Measure | None:
    metric, goal = text(spec.get("metric")), spec.get("goal")
    if not metric or goal not in ("Maximize", "Minimize"):
        return None
    return Measure(metric, goal == "Maximize", number(spec.get("threshold")))


def _values(
    gate: Gate | None, candidate: Candidate, champion: VersionFacts | None
) -> tuple[float | None, float | None]:
    if gate is None:
        return None, None
    theirs = mapping(champion.metrics) if champion is not None else {}
    return number(candidate.metrics.get(gate.metric)), number(theirs.get(gate.metric))


def _tie(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=_TOLERANCE, abs_tol=1e-12)


def _short(digest: str) -> str:
    return digest[:12] or "unknown"
