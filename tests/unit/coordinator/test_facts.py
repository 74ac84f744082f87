"""What is read of objects, and what is not believed."""

from __future__ import annotations

from typing import Any

import pytest

from trainyard.coordinator import facts
from trainyard.coordinator.columns import duration, metric_text
from trainyard.coordinator.facts import Owner, Target
from trainyard.coordinator.progress import refusal

JOB = {"apiVersion": "batch/v1", "kind": "Job", "name": "adult-tj-a2", "uid": "job-uid", "controller": True}


def pod(**changes: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "trainyard", "trainyard.dev/attempt": "2"}
    meta = {"namespace": "a", "name": "p", "uid": "u", "labels": labels, "ownerReferences": [JOB], **changes}
    return {"metadata": meta}


def test_a_pod_names_its_job_and_attempt() -> None:
    found = facts.child(pod())
    assert found.owner == facts.Ref("Job", "adult-tj-a2", "job-uid")
    assert found.attempt == 2
    assert facts.managed(pod())


def test_a_pods_image_is_known_once_it_runs() -> None:
    assert facts.child(pod()).image == ""
    for statuses, image in (
        ([], ""),
        ([{"name": "trainer"}], ""),
        ([{"imageID": "x@sha256:ab"}], "x@sha256:ab"),
    ):
        assert facts.child({**pod(), "status": {"containerStatuses": statuses}}).image == image


@pytest.mark.parametrize(
    "owners",
    [
        None,
        [],
        [{**JOB, "controller": False}],
        [{**JOB, "apiVersion": "evil.dev/v1"}],
    ],
)
def test_other_owners_are_not_believed(owners: Any) -> None:
    assert facts.child(pod(ownerReferences=owners)).owner is None


@pytest.mark.parametrize(
    "labels", [None, {}, {"trainyard.dev/attempt": "two"}, {"trainyard.dev/attempt": "²"}]
)
def test_a_missing_or_strange_attempt_is_none(labels: Any) -> None:
    assert facts.child(pod(labels=labels)).attempt == 0
    assert not facts.managed(pod(labels=labels))


def test_a_new_object_has_no_status_yet() -> None:
    meta = {"namespace": "a", "name": "n", "uid": "u", "resourceVersion": "7"}
    assert facts.target({"metadata": meta}) == Target(
        "a", "n", "u", "7", terminal=False, attempt=0, metric=""
    )


@pytest.mark.parametrize(
    ("state", "terminal"),
    [("Running", False), ("Restarting", False), ("Suspended", False), ("Succeeded", True), ("Failed", True)],
)
def test_only_final_states_are_terminal(state: str, terminal: bool) -> None:
    meta = {"namespace": "a", "name": "n", "uid": "u", "resourceVersion": "7"}
    spec = {"training": {"earlyStopping": {"metric": "val_auc"}}}
    found = facts.target({"metadata": meta, "spec": spec, "status": {"state": state, "attempt": 3}})
    assert found == Target("a", "n", "u", "7", terminal=terminal, attempt=3, metric="val_auc")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (None, "gone"),
        (Target("a", "n", "other", "1", terminal=False, attempt=2, metric=""), "gone"),
        (Target("a", "n", "u", "1", terminal=True, attempt=2, metric=""), "terminal"),
        (Target("a", "n", "u", "1", terminal=False, attempt=3, metric=""), "stale"),
        (Target("a", "n", "u", "1", terminal=False, attempt=2, metric=""), ""),
        (Target("a", "n", "u", "1", terminal=False, attempt=0, metric=""), ""),
    ],
)
def test_what_may_be_written(target: Target | None, why: str) -> None:
    assert refusal(target, Owner("TrainingJob", "a", "n", "u", attempt=2)) == why


@pytest.mark.parametrize(
    ("training", "metric"),
    [
        ({"metric": "val_f1", "earlyStopping": {"metric": "val_loss"}}, "val_f1"),
        ({"earlyStopping": {"metric": "val_loss"}}, "val_loss"),
        ({"earlyStopping": {"patience": 3}}, ""),
        (None, ""),
    ],
)
def test_the_metric_that_chooses_the_epoch(training: Any, metric: str) -> None:
    meta = {"namespace": "a", "name": "n", "uid": "u", "resourceVersion": "7"}
    assert facts.target({"metadata": meta, "spec": {"training": training}}).metric == metric


def test_the_metric_that_chooses_the_epoch_is_shown_when_it_is_reported() -> None:
    metrics = {"train_loss": 0.5, "val_accuracy": 0.9, "val_f1": 0.8}
    assert metric_text(metrics, "val_f1") == "val_f1=0.8"
    assert metric_text(metrics, "val_auc") == "val_accuracy=0.9"
    assert metric_text({"train_loss": 0.5, "val_loss": 0.25}) == "val_loss=0.25"


def test_durations_round_across_units() -> None:
    assert [duration(s) for s in (59.4, 3599.7, 86_399.9)] == ["59s", "1h0m", "1d0h"]
