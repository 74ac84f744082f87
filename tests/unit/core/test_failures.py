"""Which of several failed pods is told as the cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from trainyard.api.states import Cause
from trainyard.core.failures import classify
from trainyard.core.observed import AttemptJob, Pod

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CAUSES = {64: Cause.INVALID_SPEC, 65: Cause.DATA_ERROR, 77: Cause.NOT_ALLOWED}
ECHOES = [75, 143]


def pod(index: int, code: int, at: int, reason: str = "Error") -> Pod:
    ended = NOW + timedelta(seconds=at)
    return Pod(f"adult-tj-a1-{index}-x", "u", "j", 1, index, exit_code=code, exit_reason=reason, ended=ended)


def told_by(first: Pod) -> AttemptJob:
    """The Job's condition names whatever pod its controller saw first."""
    message = (
        f"Container trainer for pod ns/{first.name} failed with exit code {first.exit_code} matching FailJob"
    )
    return AttemptJob(
        "adult-tj-a1", "j", 1, ("cr",), True, failed=True, reason="PodFailurePolicy", message=message
    )


echoing = st.lists(st.tuples(st.sampled_from(ECHOES), st.integers(-30, 30)), min_size=1, max_size=6)


@given(echoing, st.sampled_from([1, 69, 137, *CAUSES, -1]), st.integers(0, 6), st.integers(-30, 30))
def test_a_pod_that_failed_of_itself_is_never_hidden_behind_peers_that_lost_it(
    echoes, code, place, at
) -> None:
    pods = [pod(index, *echo) for index, echo in enumerate(echoes)]
    reason = "OOMKilled" if code == -1 else "Error"
    failed = pod(len(pods), 137 if code == -1 else code, at, reason)
    pods.insert(min(place, len(pods)), failed)
    ended = classify(told_by(pods[0]), pods)
    assert ended.pod == failed.name
    assert ended.cause is (Cause.OOM_KILLED if code == -1 else CAUSES.get(code, ended.cause))


@given(echoing)
def test_where_all_lost_each_other_the_first_to_end_is_told(echoes) -> None:
    pods = [pod(index, *echo) for index, echo in enumerate(echoes)]
    ended = classify(told_by(pods[0]), pods)
    first = min(p.ended for p in pods if p.ended is not None)
    assert ended.pod in {p.name for p in pods if p.ended == first}
    assert ended.cause in {Cause.TEMPORARY, Cause.STOPPED}


def test_what_the_job_tells_of_a_pod_that_is_gone_counts_before_a_peer_that_lost_it() -> None:
    gone = pod(1, 65, 0)
    ended = classify(told_by(gone), [pod(0, 75, 0)])
    assert (ended.cause, ended.pod, ended.exit_code) == (Cause.DATA_ERROR, gone.name, 65)
