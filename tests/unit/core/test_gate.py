"""What passes the gate, what does not, and that the message holds both numbers."""

from __future__ import annotations

import doctest
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.api.states import Reason
from trainyard.core import gate as module
from trainyard.core import tags
from trainyard.core.gate import Candidate, Verdict, judge, read_gate
from trainyard.core.serving_observed import VersionFacts
from trainyard.core.tags import version_facts, version_tags

MAX = {"metric": "auc", "goal": "Maximize"}
MIN = {"metric": "rmse", "goal": "Minimize"}
NAN = float("nan")


def _judge(
    spec: dict[str, Any] | None,
    metrics: dict[str, Any],
    champion: dict[str, float] | None = None,
    *,
    holdout: str = "h",
    theirs: str = "h",
) -> Verdict:
    facts = None if champion is None else VersionFacts(3, "other", "u", "s", theirs, champion)
    gate = None if spec is None else read_gate(spec)
    assert spec is None or gate is not None
    return judge(gate, Candidate("models:/m-1", "a" * 64, holdout, metrics), facts)


@pytest.mark.parametrize(
    ("spec", "metrics", "champion", "reason"),
    [
        # the threshold
        (MAX, {"auc": 0.1}, None, Reason.GATE_PASSED),
        ({**MAX, "threshold": 0.9}, {"auc": 0.9}, None, Reason.GATE_PASSED),
        ({**MAX, "threshold": 0.9}, {"auc": 0.8999}, None, Reason.THRESHOLD_NOT_MET),
        ({**MIN, "threshold": 2.0}, {"rmse": 2.0}, None, Reason.GATE_PASSED),
        ({**MIN, "threshold": 2.0}, {"rmse": 2.001}, None, Reason.THRESHOLD_NOT_MET),
        ({**MAX, "threshold": 0}, {"auc": -0.5}, None, Reason.THRESHOLD_NOT_MET),
        # what cannot be shown
        (MAX, {}, None, Reason.METRIC_MISSING),
        (MAX, {"auc": NAN}, None, Reason.METRIC_MISSING),
        (MAX, {"auc": math.inf}, None, Reason.METRIC_MISSING),
        (MAX, {"auc": True}, None, Reason.METRIC_MISSING),
        (MAX, {"auc": "0.9"}, None, Reason.METRIC_MISSING),
        (MAX, {"auc": 0.9}, {}, Reason.CHAMPION_NOT_COMPARABLE),
        (MAX, {"auc": 0.9}, {"auc": NAN}, Reason.CHAMPION_NOT_COMPARABLE),
        # against the champion
        (MAX, {"auc": 0.9}, {"auc": 0.89}, Reason.GATE_PASSED),
        (MAX, {"auc": 0.9}, {"auc": 0.9}, Reason.NO_IMPROVEMENT),
        (MAX, {"auc": 0.9 + 1e-13}, {"auc": 0.9}, Reason.NO_IMPROVEMENT),
        (MAX, {"auc": 0.89}, {"auc": 0.9}, Reason.NO_IMPROVEMENT),
        (MIN, {"rmse": 1.9}, {"rmse": 2.0}, Reason.GATE_PASSED),
        (MIN, {"rmse": 2.0}, {"rmse": 2.0}, Reason.NO_IMPROVEMENT),
        (MIN, {"rmse": 2.1}, {"rmse": 2.0}, Reason.NO_IMPROVEMENT),
        ({**MAX, "threshold": 0.95}, {"auc": 0.9}, {"auc": 0.8}, Reason.THRESHOLD_NOT_MET),
        # by how much
        ({**MAX, "minImprovement": 0.002}, {"auc": 0.902}, {"auc": 0.9}, Reason.GATE_PASSED),
        ({**MAX, "minImprovement": 0.002}, {"auc": 0.9019}, {"auc": 0.9}, Reason.NO_IMPROVEMENT),
        ({**MAX, "minImprovement": 0}, {"auc": 0.9}, {"auc": 0.9}, Reason.NO_IMPROVEMENT),
        ({**MIN, "minImprovement": 0.5}, {"rmse": 1.5}, {"rmse": 2.0}, Reason.GATE_PASSED),
        ({**MIN, "minImprovement": 0.5}, {"rmse": 1.6}, {"rmse": 2.0}, Reason.NO_IMPROVEMENT),
        ({**MIN, "minRelativeImprovement": 0.1}, {"rmse": 1.8}, {"rmse": 2.0}, Reason.GATE_PASSED),
        ({**MIN, "minRelativeImprovement": 0.1}, {"rmse": 1.81}, {"rmse": 2.0}, Reason.NO_IMPROVEMENT),
        ({**MAX, "minRelativeImprovement": 0.1}, {"auc": -1.8}, {"auc": -2.0}, Reason.GATE_PASSED),
        ({**MAX, "minRelativeImprovement": 0.1}, {"auc": 0.0}, {"auc": 0.0}, Reason.NO_IMPROVEMENT),
    ],
)
def test_one_metric(
    spec: dict[str, Any], metrics: dict[str, Any], champion: dict[str, float] | None, reason: Reason
) -> None:
    verdict = _judge(spec, metrics, champion)
    assert (verdict.reason, verdict.passed) == (reason, reason is Reason.GATE_PASSED), verdict.message


GUARDED = {**MAX, "guards": [{**MIN, "maxRegression": 0.1, "threshold": 3.0}]}


@pytest.mark.parametrize(
    ("mine", "theirs", "reason"),
    [
        ({"rmse": 2.0}, {"rmse": 2.0}, Reason.GATE_PASSED),
        ({"rmse": 2.1}, {"rmse": 2.0}, Reason.GATE_PASSED),
        ({"rmse": 2.2}, {"rmse": 2.0}, Reason.GUARD_REGRESSED),
        ({"rmse": 3.1}, {"rmse": 4.0}, Reason.THRESHOLD_NOT_MET),
        ({}, {"rmse": 2.0}, Reason.METRIC_MISSING),
        ({"rmse": 2.0}, {}, Reason.CHAMPION_NOT_COMPARABLE),
    ],
)
def test_guards(mine: dict[str, float], theirs: dict[str, float], reason: Reason) -> None:
    assert _judge(GUARDED, {"auc": 0.95, **mine}, {"auc": 0.9, **theirs}).reason is reason


def test_guards_without_a_champion_have_their_thresholds_only() -> None:
    assert _judge(GUARDED, {"auc": 0.95, "rmse": 2.9}).passed
    assert not _judge(GUARDED, {"auc": 0.95, "rmse": 3.1}).passed


@pytest.mark.parametrize(("mine", "theirs"), [("a", "b"), ("", ""), ("a", ""), ("", "b")])
def test_other_rows_cannot_be_compared(mine: str, theirs: str) -> None:
    verdict = _judge(MAX, {"auc": 0.99}, {"auc": 0.1}, holdout=mine, theirs=theirs)
    assert (verdict.passed, verdict.reason) == (False, Reason.CHAMPION_NOT_COMPARABLE)


def test_without_a_package_nothing_passes() -> None:
    for candidate in (Candidate("", "a" * 64, "h", {"auc": 1.0}), Candidate("models:/m", "", "h", {})):
        assert judge(None, candidate, None).reason is Reason.SIGNATURE_MISSING


def test_no_gate_lets_pass_whoever_serves() -> None:
    assert _judge(None, {}, {"auc": 1.0}, theirs="other").passed


def test_messages_hold_both_numbers() -> None:
    worse = _judge(MAX, {"auc": 0.9012}, {"auc": 0.9034})
    assert "0.9012" in worse.message
    assert "0.9034" in worse.message
    assert (worse.candidate, worse.champion) == (0.9012, 0.9034)
    close = _judge(MAX, {"auc": 0.90120001}, {"auc": 0.90120002})
    assert "0.90120001" in close.message
    assert "0.90120002" in close.message


@pytest.mark.parametrize(
    "spec", [{}, {"metric": "auc"}, {"metric": "auc", "goal": "Up"}, {"goal": "Maximize"}]
)
def test_a_gate_without_metric_and_goal_is_none(spec: dict[str, Any]) -> None:
    assert read_gate(spec) is None
    assert read_gate({**MAX, "guards": [spec]}) is None


numbers = st.one_of(st.floats(), st.integers(), st.none(), st.booleans(), st.text(max_size=3))


@given(
    st.sampled_from(["Maximize", "Minimize"]),
    numbers,
    numbers,
    numbers,
    numbers,
    numbers,
    st.sampled_from(["h", "", "x"]),
)
def test_never_raises_and_never_lets_a_worse_one_pass(
    goal: str, threshold: Any, least: Any, relative: Any, mine: Any, theirs: Any, holdout: str
) -> None:
    spec = {
        "metric": "m",
        "goal": goal,
        "threshold": threshold,
        "minImprovement": least,
        "minRelativeImprovement": relative,
    }
    verdict = _judge(spec, {"m": mine}, {"m": theirs}, theirs=holdout)
    if verdict.passed:
        assert holdout == "h"
        assert mine > theirs if goal == "Maximize" else mine < theirs
    assert verdict.message


def test_tags_come_back_as_facts() -> None:
    metrics = {"test_auc": 0.1 + 0.2, "test_loss": NAN}
    facts = version_facts("7", {**version_tags("uid", "a" * 64, "h", metrics), tags.TAG_ARTIFACT_URI: "u"})
    assert (facts.number, facts.uid, facts.uri, facts.sha256) == (7, "uid", "u", "a" * 64)
    assert facts.metrics["test_auc"] == 0.1 + 0.2
    assert math.isnan(facts.metrics["test_loss"])
    assert version_facts("x", {"trainyard.metric.m": "much"}) == VersionFacts(0)


@pytest.mark.parametrize("part", [module, tags])
def test_examples_in_docstrings(part: object) -> None:
    assert doctest.testmod(part).failed == 0  # type: ignore[arg-type]
