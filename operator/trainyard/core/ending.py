"""How a TrainingJob ends, and what is left to do about one that is over."""

from __future__ import annotations

from dataclasses import replace

from trainyard.api.states import Cause, Reason, State
from trainyard.core import promotion
from trainyard.core.case import Case
from trainyard.core.conditions import clip, sentences
from trainyard.core.failures import Failure, echoes, failure
from trainyard.core.observed import Pod
from trainyard.core.plan import Action, Child, Delete, DeleteNetwork, DeleteSelf, Need, Note, Plan
from trainyard.core.record import Record, Retry
from trainyard.core.result import Result, parse_result

RESULT_PATIENCE = 10
"""Seconds that a complete Job without a readable pod is waited for."""
LINGER = 60
"""Seconds that the other pods of a group have to end after the one with the result."""


def latched(case: Case) -> Plan | None:
    """What is over stays over; only its result goes on, into serving, and then its time to live."""
    if not case.record.terminal:
        return None
    plan, child = _after(case), case.child
    trains = child is not None and case.ours and not child.finished and any(not p.over for p in case.pods)
    if plan.needs or child is None or child.deleting or not trains:
        return plan
    stop = Delete(Child.JOB, case.record.attempt, child.uid)  # the operator died before it did
    return replace(plan, actions=(stop, *plan.actions))


def _after(case: Case) -> Plan:
    record = case.record
    promoting = promotion.advance(case)
    if promoting is not None:
        return promoting
    ttl = case.policy.ttl_seconds
    if ttl is None or record.completion is None:
        return case.plan(record)
    left = ttl - case.age(max(record.completion, promotion.ended(case) or record.completion))
    if left <= 0:
        return Plan(actions=(DeleteSelf(case.job.uid),))
    return case.plan(record, requeue=left)


def succeeded(case: Case) -> Plan | None:
    """A pod that ended with 0, or a complete Job, ends the job well; the result is read before it is told."""
    if case.record.attempt == 0:
        return None
    complete = case.child is not None and case.child.complete
    done = next((p for p in case.pods if p.done and p.index == 0), None)
    if done is not None:
        others = [p for p in case.pods if not p.done]
        return _succeed(case, done) if complete or not others else _lingering(case, done, others)
    if not complete:
        return None
    if not case.observed.pods_fresh:
        return Plan(needs=frozenset({Need.PODS}))
    ended = case.child.end if case.child is not None else None
    if ended is not None and case.age(ended) < RESULT_PATIENCE:
        message = "The training is done; its pod's last word is not readable yet."
        return case.plan(case.moved(State.RUNNING, Reason.RESULT_PENDING, message), requeue=2.0)
    return _succeed(case, None)


def _lingering(case: Case, done: Pod, others: list[Pod]) -> Plan | None:
    """The result is there and other pods of the group are not done: they end soon, or did not matter."""
    failed = [p for p in others if p.failed]
    if any(not echoes(p) for p in failed):
        return None
    left = LINGER - case.age(done.ended)
    if len(failed) == len(others) or left <= 0:
        return _succeed(case, done)
    return case.plan(case.record, requeue=left)


def disconnected(case: Case) -> list[Action]:
    """A group's Service and NetworkPolicy go with its attempt."""
    return [DeleteNetwork(case.record.attempt)] if case.policy.nodes > 1 and case.record.attempt else []


def fail(case: Case, ended: Failure, why: str) -> Plan:
    """End the job for good."""
    message = sentences(ended.message, why, ended.remedy)
    attempt = case.record.attempt
    moved = case.moved(
        State.FAILED,
        ended.cause,
        message,
        completion=case.now.replace(microsecond=0),
        retry=spent(case),
        last_failure=ended.to_status(attempt, case.now),
    )
    record = _with_result(moved, ended.result)
    child = case.child
    actions: list[Action] = []
    if child is not None and not child.finished and case.ours:
        actions.append(Delete(Child.JOB, attempt, child.uid))
    notes = [Note(ended.cause.value, message, warning=True)]
    return case.plan(record, actions, notes, before=disconnected(case))


def ran_seconds(case: Case) -> int:
    """How long the current attempt ran; a Job that is gone is measured by its pods."""
    child = case.child
    if child is not None and child.start is not None:
        end = child.end if child.finished and child.end is not None else case.now
        return max(0, int((end - child.start).total_seconds()))
    starts = [p.started for p in case.pods if p.started is not None]
    return max(0, int(case.age(min(starts)))) if starts else 0


def spent(case: Case) -> Retry:
    """The bookkeeping with the current attempt's running time added."""
    return replace(case.record.retry, run_seconds=case.record.retry.run_seconds + ran_seconds(case))


def out_of_time(case: Case) -> bool:
    """Whether no second of the deadline is left for another attempt."""
    deadline = case.policy.deadline_seconds
    return deadline is not None and case.record.retry.run_seconds >= deadline


def deadline_passed() -> Failure:
    """The failure of a job whose attempts together used up the deadline."""
    return failure(
        Cause.DEADLINE_EXCEEDED, "All attempts together ran longer than runPolicy.activeDeadlineSeconds."
    )


def _succeed(case: Case, pod: Pod | None) -> Plan:
    result = parse_result(pod.last_word) if pod is not None else None
    message = "The training is done."
    if result is None:
        why = "was no result" if pod is not None else "was gone with its pod"
        message = (
            f"The training is done, but its last word {why}: metrics and model are in the MLflow run only."
        )
    started = (
        case.record.start or (pod.started if pod is not None else None) or case.now.replace(microsecond=0)
    )
    moved = case.moved(
        State.SUCCEEDED,
        Reason.COMPLETED,
        message,
        start=started,
        completion=case.now.replace(microsecond=0),
        retry=spent(case),
    )
    requeue = 0.0 if promotion.wanted(case) else None
    late = case.child if any(not p.over for p in case.pods) else None
    actions: list[Action] = [Delete(Child.JOB, case.record.attempt, late.uid)] if late is not None else []
    notes = [Note(moved.reason, message)]
    return case.plan(_with_result(moved, result), actions, notes, requeue, disconnected(case))


def _with_result(record: Record, result: Result | None) -> Record:
    """Copy what the trainer said into the record; what it left out keeps its former value."""
    if result is None:
        return record
    return replace(
        record,
        mlflow={**record.mlflow, **result.mlflow},
        metrics=result.metrics or record.metrics,
        data=result.data or record.data,
        message=clip(record.message),
    )
