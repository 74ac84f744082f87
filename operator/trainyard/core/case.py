"""One case to decide: the object, what was seen, the time, and the one way from a record to a Plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from trainyard.api.states import Cause, ConditionType, Reason, State
from trainyard.core.conditions import Condition, clip, find, is_true, upkeep
from trainyard.core.observed import AttemptJob, Observed, Pod
from trainyard.core.plan import Action, Note, Plan
from trainyard.core.policy import Policy
from trainyard.core.record import Record
from trainyard.core.resource import TrainingJob

GHOST_SLACK = 30
"""Seconds past its deletion time after which a pod that is still there counts as lost with its node."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a step of the decision looks at."""

    job: TrainingJob
    policy: Policy
    record: Record
    observed: Observed
    now: datetime

    @property
    def child(self) -> AttemptJob | None:
        """The Job of the current attempt."""
        return self.observed.attempt_job

    @property
    def ours(self) -> bool:
        """The Job of that name is this object's: by ownerReference, or because it was recorded as such."""
        child = self.child
        return child is not None and (self.job.uid in child.owners or child.uid == self.record.retry.job_uid)

    @property
    def pods(self) -> tuple[Pod, ...]:
        """Pods of the current attempt's Job, by their index."""
        uid = self.child.uid if self.child is not None else self.record.retry.job_uid
        return tuple(sorted((p for p in self.observed.pods if p.job_uid == uid and uid), key=_place))

    @property
    def live(self) -> tuple[Pod, ...]:
        """Pods of any attempt that may still train."""
        return tuple(p for p in self.observed.pods if not p.over and not self.is_ghost(p))

    @property
    def prior_cause(self) -> str:
        """Why the attempt before this one ended; nothing for a first or a resumed attempt."""
        failure = self.record.last_failure
        return str(failure.get("cause", "")) if failure.get("attempt") == self.record.attempt - 1 else ""

    def is_ghost(self, pod: Pod) -> bool:
        """Whether a deleted pod outstays its time so long that its node must be lost."""
        return not pod.over and pod.deletion is not None and self.age(pod.deletion) > GHOST_SLACK

    def age(self, since: datetime | None) -> float:
        """Seconds since a time; 0 without one."""
        return (self.now - since).total_seconds() if since is not None else 0.0

    def after(self, seconds: float) -> datetime:
        """A later time, in whole seconds."""
        try:
            return (self.now + timedelta(seconds=seconds)).replace(microsecond=0)
        except OverflowError:
            return self.now

    def moved(self, state: State, reason: Reason | Cause, message: str, **changes: Any) -> Record:
        """The record in a state, its conditions brought along."""
        base = replace(self.record, state=state, reason=reason.value, message=clip(message), **changes)
        return replace(base, conditions=_conditions(self, base))

    def plan(
        self,
        record: Record,
        actions: Sequence[Action] = (),
        notes: Sequence[Note] = (),
        requeue: float | None = None,
        before: Sequence[Action] = (),
    ) -> Plan:
        """Turn a record into a Plan: a write only for a difference, Events only for a transition."""
        record = replace(record, generation=self.job.generation)
        status = record.to_status()
        if status == self.record.to_status():
            return Plan(before=tuple(before), actions=tuple(actions), requeue_after=requeue)
        if self.child is not None and self.ours and record.attempt == self.record.attempt:
            record = replace(record, retry=replace(record.retry, job_uid=self.child.uid))
            status = record.to_status()
        events = tuple(notes) if _transition(self.record, record) else ()
        return Plan(tuple(before), status, tuple(actions), events, requeue)


def _place(pod: Pod) -> tuple[int, str]:
    return pod.index, pod.name


def _transition(old: Record, new: Record) -> bool:
    promotion = [(r.promotion.get("state"), r.promotion.get("reason")) for r in (old, new)]
    same = (old.state, old.reason, old.attempt) == (new.state, new.reason, new.attempt)
    return not same or promotion[0] != promotion[1]


_HOLDS = {
    State.RUNNING: ConditionType.RUNNING,
    State.SUSPENDED: ConditionType.SUSPENDED,
    State.SUCCEEDED: ConditionType.SUCCEEDED,
    State.FAILED: ConditionType.FAILED,
}


def _conditions(case: Case, record: Record) -> tuple[Condition, ...]:
    """Conditions that hold say so; those that held once say no longer; the others are not mentioned."""
    found = record.conditions
    holding = {_HOLDS[record.state]} if record.state in _HOLDS else set()
    if record.reason == Reason.NAME_CONFLICT:
        holding.add(ConditionType.NAME_CONFLICT)
    if record.state is State.RUNNING and find(found, ConditionType.STARTED) is None:
        holding.add(ConditionType.STARTED)
    ours = (*_HOLDS.values(), ConditionType.NAME_CONFLICT, ConditionType.STARTED)
    for kind in ours:
        if kind in holding or (is_true(found, kind) and kind is not ConditionType.STARTED):
            new = Condition(
                kind.value, kind in holding, record.reason, record.message, case.job.generation, case.now
            )
            found = upkeep(found, new)
    return found
