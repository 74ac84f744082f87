"""What was seen of the world for one TrainingJob: facts only, no bodies, no opinion.

Facts are small frozen tuples so that thousands of watched pods cost little memory and equality says "nothing
that matters changed".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trainyard.core.serving_observed import PromotionFacts


@dataclass(frozen=True, slots=True)
class AttemptJob:
    """The batch/v1 Job that carries the name of an attempt, whoever owns it."""

    name: str
    uid: str
    attempt: int
    owners: tuple[str, ...]
    """uids of its ownerReferences."""
    in_order: bool
    """Labels and ownerReferences are as we wrote them."""
    complete: bool = False
    failed: bool = False
    reason: str = ""
    message: str = ""
    deleting: bool = False
    suspended: bool = False
    created: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether the Job will start no more pods."""
        return self.complete or self.failed


@dataclass(frozen=True, slots=True)
class Pod:
    """A trainer pod."""

    name: str
    uid: str
    job_uid: str
    attempt: int
    index: int = 0
    """Its place among the pods of its attempt; 0 for a pod alone."""
    node: str = ""
    image: str = ""
    phase: str = ""
    reason: str = ""
    """status.reason: Evicted, NodeLost, ..."""
    message: str = ""
    created: datetime | None = None
    started: datetime | None = None
    """When the container `trainer` last began to run."""
    running: bool = False
    waiting: str = ""
    """Reason why the container does not run yet."""
    waiting_message: str = ""
    unschedulable: str = ""
    """Message of the scheduler that found no node."""
    exit_code: int | None = None
    exit_reason: str = ""
    ended: datetime | None = None
    """When the container ended."""
    last_word: str = ""
    """The container's termination message."""
    disrupted: str = ""
    """Reason of the condition DisruptionTarget."""
    deletion: datetime | None = None
    """When a deleted pod has to be gone."""

    @property
    def over(self) -> bool:
        """Whether the pod runs no more; its phase follows the container's end a moment later."""
        return self.phase in {"Succeeded", "Failed"} or self.exit_code is not None

    @property
    def failed(self) -> bool:
        """Whether it ended other than well."""
        return self.phase == "Failed" or self.exit_code not in (None, 0)

    @property
    def done(self) -> bool:
        """Whether it ended well."""
        return self.exit_code == 0 and self.phase != "Failed"


@dataclass(frozen=True, slots=True)
class Event:
    """An Event about the Job or a pod of the attempt."""

    kind: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that a decision may look at besides the object itself and the time."""

    attempt_job: AttemptJob | None = None
    """The Job named after status.attempt; None when there is none."""
    pods: tuple[Pod, ...] = ()
    """Pods of this TrainingJob (matched by label), of every attempt; some that ended may be gone by now."""
    pods_fresh: bool = False
    """The pods were listed in this pass, not remembered from the watch."""
    previous: tuple[AttemptJob, ...] | None = None
    """The Job of the attempt before, none when it is gone; None when nobody asked (Need.PREVIOUS)."""
    events: tuple[Event, ...] | None = None
    """Events of the Job and its pods; None when nobody asked for them."""
    foreign: str = ""
    """A child of the attempt whose name somebody else's object holds, other than the Job."""
    refused: str = ""
    """What the API server said when it refused the attempt's Job just now."""
    refused_for_good: bool = False
    """It refused because the Job is wrong, not because there was no room or right."""
    account: bool | None = None
    """The ServiceAccount that the manifest names may be used; None when nobody asked."""
    kueue: bool | None = None
    """The API server knows Kueue's resources; None when nobody asked (Need.KUEUE)."""
    coordinator_ready: bool = True
    """The coordinator's CA can be copied, or no coordinator is configured."""
    promotion: PromotionFacts | None = None
    """Registry and ModelServer; None when nobody asked (Need.PROMOTION)."""
