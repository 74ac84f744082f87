"""Which watch events make work, and which are dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from trainyard.controller.intake import Intake
from trainyard.controller.promotions import Promotions
from trainyard.controller.watched import Key, Pods
from trainyard.core.observed import Pod
from trainyard.render.labels import SERVER, VERIFY, attempt_labels, serving_labels

KEY = Key("TrainingJob", "ns", "adult")
CR: dict[str, Any] = {
    "metadata": {"name": "adult", "namespace": "ns", "uid": "u", "generation": 1},
    "spec": {},
}
JOB: dict[str, Any] = {
    "metadata": {"name": "adult-tj-a1", "namespace": "ns", "uid": "j", "labels": attempt_labels("adult", 1)},
    "status": {"active": 1},
}
POD: dict[str, Any] = {
    "metadata": {
        "name": "adult-tj-a1-x",
        "namespace": "ns",
        "uid": "p",
        "labels": attempt_labels("adult", 1),
    },
    "status": {"phase": "Pending"},
}
SERVER_KEY = Key("ModelServer", "ns", "income")
SERVER_CR: dict[str, Any] = {
    "metadata": {"name": "income", "namespace": "ns", "uid": "s", "generation": 1},
    "spec": {"model": "income", "source": {"promotions": {}}},
}


def adds(feed: Callable[[Intake], None]) -> tuple[list[Key], Pods]:
    """Keys that a feed of events puts on the queue."""
    found: list[Key] = []
    pods = Pods()

    async def main() -> None:
        feed(Intake(asyncio.get_running_loop(), pods, Promotions(), found.append))
        await asyncio.sleep(0)

    asyncio.run(main())
    return found, pods


def changed(body: dict[str, Any], **status: Any) -> dict[str, Any]:
    copy = deepcopy(body)
    copy["status"] = {**copy.get("status", {}), **status}
    return copy


def test_own_status_writes_make_no_work() -> None:
    def feed(intake: Intake) -> None:
        intake.training_job(CR, deleted=False)
        intake.training_job(changed(CR, state="Running", attempt=1), deleted=False)
        intake.training_job(changed(CR, progress={"attempt": 1, "epoch": 3}), deleted=False)
        intake.training_job(changed(CR, progress={"attempt": 1, "epoch": 4}), deleted=False)

    assert adds(feed)[0] == [KEY, KEY]


def test_spec_changes_and_deletions_make_work() -> None:
    def feed(intake: Intake) -> None:
        intake.training_job(CR, deleted=False)
        second = deepcopy(CR)
        second["metadata"]["generation"] = 2
        intake.training_job(second, deleted=False)
        intake.training_job(second, deleted=True)

    assert len(adds(feed)[0]) == 3


def test_a_jobs_counters_make_no_work_but_its_end_does() -> None:
    def feed(intake: Intake) -> None:
        intake.job(JOB, deleted=False)
        intake.job(changed(JOB, ready=1), deleted=False)
        ended = [{"type": "Complete", "status": "True"}]
        intake.job(changed(JOB, conditions=ended), deleted=False)

    assert len(adds(feed)[0]) == 2


def test_a_pod_that_gets_its_node_and_alternates_texts_makes_no_work() -> None:
    def waiting(reason: str, message: str = "") -> list[dict[str, Any]]:
        return [{"name": "trainer", "state": {"waiting": {"reason": reason, "message": message}}}]

    def feed(intake: Intake) -> None:
        intake.pod(POD, deleted=False)
        intake.pod({**POD, "spec": {"nodeName": "n"}}, deleted=False)
        intake.pod(changed(POD, containerStatuses=waiting("ContainerCreating")), deleted=False)
        intake.pod(changed(POD, containerStatuses=waiting("ErrImagePull", "a")), deleted=False)
        intake.pod(changed(POD, containerStatuses=waiting("ImagePullBackOff", "b")), deleted=False)

    assert len(adds(feed)[0]) == 2


def test_latest_pod_is_kept_and_a_deleted_one_dropped() -> None:
    def feed(intake: Intake) -> None:
        intake.pod(POD, deleted=False)
        intake.pod(changed(POD, phase="Running"), deleted=False)

    assert [p.phase for p in adds(feed)[1].of(KEY)] == ["Running"]

    def feed_and_delete(intake: Intake) -> None:
        feed(intake)
        intake.pod(POD, deleted=True)

    keys, pods = adds(feed_and_delete)
    assert pods.of(KEY) == ()
    assert len(keys) == 3


def test_strangers_make_no_work() -> None:
    stranger = {
        "metadata": {"name": "x", "namespace": "ns", "labels": {"app.kubernetes.io/managed-by": "trainyard"}}
    }
    assert (
        adds(lambda intake: (intake.job(stranger, deleted=False), intake.pod(stranger, deleted=False))[0])[0]
        == []
    )


def promoted(state: str, version: str = "") -> dict[str, Any]:
    """The TrainingJob when its promotion is at a state."""
    done = changed(CR, state="Succeeded", promotion={"state": state, "version": version})
    return {**done, "spec": {"promotion": {"model": "income"}}}


def test_an_offer_is_news_to_its_model_server_once() -> None:
    def feed(intake: Intake) -> None:
        intake.training_job(promoted("Evaluating"), deleted=False)
        intake.training_job(promoted("RollingOut", "3"), deleted=False)
        intake.training_job(promoted("RollingOut", "3"), deleted=False)
        intake.training_job(promoted("Promoted", "3"), deleted=False)
        intake.training_job(promoted("Promoted", "3"), deleted=False)

    keys = adds(feed)[0]
    assert keys.count(SERVER_KEY) == 3
    assert keys.count(KEY) == 1


def test_what_a_model_server_does_is_news_to_the_jobs_that_wait_for_it() -> None:
    def served(**status: Any) -> dict[str, Any]:
        return changed(SERVER_CR, **status)

    def feed(intake: Intake) -> None:
        intake.training_job(promoted("RollingOut", "3"), deleted=False)
        intake.model_server(served(), deleted=False)
        intake.model_server(served(targetVersion="3", replicas=1), deleted=False)
        intake.model_server(served(targetVersion="3", replicas=2), deleted=False)
        intake.model_server(served(servingVersion="3"), deleted=False)
        intake.training_job(promoted("Promoted", "3"), deleted=False)
        intake.model_server(served(servingVersion="4"), deleted=False)

    keys = adds(feed)[0]
    assert keys.count(KEY) == 1 + 3
    # First sight, the offer and its end; own status writes are no news.
    assert keys.count(SERVER_KEY) == 3


def test_a_deployments_progress_makes_work_and_its_heartbeat_none() -> None:
    deployment = {
        "metadata": {"name": "income-ms", "namespace": "ns", "labels": serving_labels("income", SERVER)},
        "status": {"observedGeneration": 1, "replicas": 1},
    }
    progressing = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}

    def feed(intake: Intake) -> None:
        intake.deployment(deployment, deleted=False)
        for second in range(3):
            told = {**progressing, "lastUpdateTime": str(second)}
            intake.deployment(changed(deployment, conditions=[told]), deleted=False)
        intake.deployment(changed(deployment, availableReplicas=1), deleted=False)

    assert adds(feed)[0] == [SERVER_KEY] * 3


def test_a_verify_job_belongs_to_its_model_server() -> None:
    job = {"metadata": {"name": "v", "namespace": "ns", "labels": serving_labels("income", VERIFY)}}
    assert adds(lambda intake: intake.job(job, deleted=False))[0] == [SERVER_KEY]


def test_how_a_pod_ended_is_remembered_until_a_later_attempt_has_pods() -> None:
    def attempt(number: int, *, ended: bool) -> Pod:
        return Pod(f"adult-tj-a{number}-0", "p", f"j{number}", number, exit_code=137 if ended else None)

    pods = Pods()
    pods.put(KEY, attempt(1, ended=True))
    pods.drop(KEY, "adult-tj-a1-0")
    pods.replace(KEY, [])
    pods.replace_all({})
    assert [p.exit_code for p in pods.of(KEY)] == [137], "listings do not know it any more"
    pods.put(KEY, attempt(2, ended=False))
    assert [p.attempt for p in pods.of(KEY)] == [2]
    pods.drop(KEY, "adult-tj-a2-0")
    assert not pods.of(KEY), "one that vanished while it ran tells nothing"
    pods.put(KEY, attempt(2, ended=True))
    pods.drop(KEY, "adult-tj-a2-0")
    pods.forget(KEY)
    assert not pods.of(KEY)
