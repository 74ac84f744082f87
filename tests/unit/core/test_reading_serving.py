"""Bodies become facts; whatever a body holds, nothing is raised."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.core import reading_serving as reading
from trainyard.core.resource import ModelServer
from trainyard.core.serving_observed import OfferFacts, Release

JOB: dict[str, Any] = {
    "metadata": {"name": "adult"},
    "spec": {"promotion": {"model": "income", "gate": {"metric": "auc", "goal": "Maximize"}}},
    "status": {
        "promotion": {
            "state": "RollingOut",
            "version": "7",
            "candidateValue": 0.95,
            "championValue": 0.93,
            "championVersion": "6",
        }
    },
}


def _with(**promotion: Any) -> dict[str, Any]:
    return {**JOB, "status": {"promotion": {**JOB["status"]["promotion"], **promotion}}}


def test_an_offer_tells_its_numbers() -> None:
    assert reading.offer(JOB, "income") == OfferFacts(
        7, "TrainingJob/adult", "auc is 0.95; 0.93 was version 6's"
    )


@pytest.mark.parametrize("state", ["Pending", "AwaitingApproval", "Rejected", "Promoted", "RolledBack", 3])
def test_only_what_rolls_out_is_offered(state: object) -> None:
    assert reading.offer(_with(state=state), "income") is None


def test_what_has_no_version_or_another_model_is_not_offered() -> None:
    assert reading.offer(_with(version=None), "income") is None
    assert reading.offer(JOB, "other") is None


def test_a_server_as_a_job_sees_it() -> None:
    facts = reading.server_facts(
        {
            "spec": {"model": "income", "source": {"version": "2"}},
            "status": {
                "servingVersion": "1",
                "targetVersion": "2",
                "reason": "Verifying",
                "failedTarget": {"version": "3", "reason": "VerifyFailed", "message": "no"},
                "history": [{"version": "1", "since": "2026-11-21T12:00:00Z"}, {"version": "x"}],
            },
        }
    )
    assert (facts.source, facts.pinned, facts.serving, facts.target, facts.failed) == ("version", 2, 1, 2, 3)
    assert (facts.verifying, facts.served, facts.failed_message) == (True, (1,), "no")
    assert facts.serving_since is not None


@pytest.mark.parametrize("source", [None, {}, {"version": "1", "promotions": {}}, {"other": {}}])
def test_a_source_is_exactly_one(source: object) -> None:
    assert reading.source_of({"source": source}) == ""


def test_a_deployment_tells_what_it_is_pinned_to() -> None:
    notes = {"trainyard.dev/artifact-uri": "u", "trainyard.dev/sha256": "s"}
    template = {"metadata": {"labels": {"trainyard.dev/version": "4"}, "annotations": notes}}
    counts = {
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "observedGeneration": 3,
    }
    body = {
        "metadata": {"uid": "d", "generation": 3},
        "spec": {"replicas": 2, "template": template},
        "status": counts,
    }
    facts = reading.deployment(body, in_order=True)
    assert facts.release == Release(4, "u", "s")
    assert facts.rolled_out
    for missing in (
        {"replicas": 3},
        {"updatedReplicas": 1},
        {"availableReplicas": 1},
        {"observedGeneration": 2},
    ):
        assert not reading.deployment({**body, "status": {**counts, **missing}}, in_order=True).rolled_out


@pytest.mark.parametrize(
    ("last_word", "said"),
    [
        ('{"ok": false, "message": "row 1: 0.5, not 0.9"}', "row 1: 0.5, not 0.9"),
        ("Traceback: boom\n", "Traceback: boom"),
        ("", "Job has reached the specified backoff limit"),
    ],
)
def test_a_verification_says_why(last_word: str, said: str) -> None:
    failed = {"type": "Failed", "status": "True", "message": "Job has reached the specified backoff limit"}
    body = {
        "metadata": {
            "name": "adult-ms-v4-3",
            "uid": "v",
            "labels": {"trainyard.dev/version": "4"},
            "annotations": {"trainyard.dev/deployment": "d/3"},
        },
        "status": {"conditions": [failed]},
    }
    facts = reading.verification(body, last_word)
    assert (facts.version, facts.deployment_uid, facts.generation) == (4, "d", 3)
    assert (facts.failed, facts.succeeded, facts.message) == (True, False, said)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "status", "source", "promotion", "history", "conditions", "template"]
            ),
            inner,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), json), st.text(max_size=9))
def test_garbage_is_read(body: dict[str, Any], word: str) -> None:
    ModelServer.read(body)
    reading.server_facts(body)
    reading.offer(body, "income")
    reading.deployment(body, in_order=False)
    reading.verification(body, word)
