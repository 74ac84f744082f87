"""What pods say about a version that does not get ready, and about how a verification ended."""

from __future__ import annotations

from typing import Any

import pytest

from trainyard.controller.servingpods import last_words, trouble
from trainyard.render.labels import SERVER, VERIFY, serving_labels

Body = dict[str, Any]


def _pod(component: str = SERVER, version: str = "2", **status: Any) -> Body:
    labels = {**serving_labels("income", component), "trainyard.dev/version": version}
    owner = {"kind": "Job" if component == VERIFY else "ReplicaSet", "uid": "j1"}
    return {"metadata": {"name": "p", "labels": labels, "ownerReferences": [owner]}, "status": status}


def _container(name: str, state: Body, last: Body | None = None) -> Body:
    return {"name": name, "state": state, "lastState": last or {}}


TAMPERED = {"terminated": {"exitCode": 65, "reason": "Error", "message": "sha256 differs"}}
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
NO_IMAGE = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        (_pod(initContainerStatuses=[_container("fetch", TAMPERED)]), "fetch: sha256 differs."),
        (_pod(initContainerStatuses=[_container("fetch", BACK_OFF, TAMPERED)]), "fetch: sha256 differs."),
        (_pod(containerStatuses=[_container("server", NO_IMAGE)]), "ImagePullBackOff: no such image."),
        (
            _pod(
                containerStatuses=[_container("server", {"terminated": {"exitCode": 1, "reason": "Error"}})]
            ),
            "server: Error (exit code 1).",
        ),
        (
            _pod(
                conditions=[{"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes fit"}]
            ),
            "Unschedulable: 0/1 nodes fit.",
        ),
        (_pod(initContainerStatuses=[_container("fetch", {"terminated": {"exitCode": 0}})]), ""),
        (_pod(containerStatuses=[_container("server", {"waiting": {"reason": "PodInitializing"}})]), ""),
        (_pod(containerStatuses=[_container("server", {"running": {}})]), ""),
        (_pod(version="1", initContainerStatuses=[_container("fetch", TAMPERED)]), ""),
        (_pod(VERIFY, initContainerStatuses=[_container("fetch", TAMPERED)]), ""),
        ({}, ""),
    ],
)
def test_trouble_is_one_sentence_about_the_version(pod: Body, said: str) -> None:
    assert trouble([pod], 2) == said


def test_a_pod_that_is_on_its_way_out_says_nothing() -> None:
    pod = _pod(initContainerStatuses=[_container("fetch", TAMPERED)])
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert trouble([pod], 2) == ""


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        (
            {"containerStatuses": [_container("verify", {"terminated": {"exitCode": 0, "message": "{}"}})]},
            "{}",
        ),
        ({"containerStatuses": [_container("verify", {"terminated": {"exitCode": 1, "message": "x"}})]}, "x"),
        ({"initContainerStatuses": [_container("fetch", TAMPERED)]}, "sha256 differs"),
    ],
)
def test_a_verification_has_a_last_word(statuses: Body, words: str) -> None:
    assert last_words([_pod(VERIFY, **statuses), _pod(**statuses)]) == {"j1": words}


def test_a_verification_that_runs_has_none() -> None:
    assert last_words([_pod(VERIFY, containerStatuses=[_container("verify", {"running": {}})])]) == {}
