"""The decision about a TrainingJob: a chain of steps, the first that has something to say wins.

Total and pure: any object, any observation, any time gives a Plan. The order of the chain is the order of
truth: what is over stays over, what succeeded counts before what failed, failure before the wish to pause,
and only then may anything be created.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from trainyard.api.names import LABEL_USABLE
from trainyard.api.states import Cause, Reason, State
from trainyard.core import ending, waiting
from trainyard.core.attempts import charge, is_dependency
from trainyard.core.case import Case
from trainyard.core.conditions import sentences
from trainyard.core.failures import BUDGETS, Budget, Failure, classify, echoes, failure
from trainyard.core.observed import AttemptJob, Observed
from trainyard.core.plan import (
    Action,
    Child,
    CreateConfigMap,
    CreateJob,
    CreateNetwork,
    Delete,
    Need,
    Note,
    PatchMetadata,
    Plan,
)
from trainyard.core.policy import problems, read_policy
from trainyard.core.record import Record
from trainyard.core.resource import TrainingJob

COORDINATOR_PATIENCE = 60
"""Seconds that a new job waits for the coordinator's CA; without it a job trains, but shows no progress."""
CONFLICT_RETRY = 30.0
POLL = 5.0
_REPEATING = frozenset(c for c, budget in BUDGETS.items() if budget in {Budget.FREE, Budget.DEPENDENCY})


def decide(job: TrainingJob, observed: Observed, now: datetime) -> Plan:
    """Decide what to do about a TrainingJob.

    Args:
        job: the object as it is now.
        observed: its children and their pods.
        now: the time, with a zone.
    """
    if job.deleting or not job.uid:
        return Plan()
    case = Case(job, read_policy(job.spec), Record.parse(job.status, now), observed, now)
    plans = (step(case) for step in _STEPS)
    return next((plan for plan in plans if plan is not None), Plan())


def _conflicted(case: Case) -> Plan | None:
    """A child of our name that is somebody else's is left alone, and so is the job until it is gone."""
    foreign = case.observed.foreign
    if case.child is not None and not case.ours:
        foreign = f"Job {case.child.name}"
    if not foreign:
        return None
    message = f"{foreign} belongs to somebody else; delete it, and this job starts by itself."
    record = case.moved(State.PENDING, Reason.NAME_CONFLICT, message)
    return case.plan(record, notes=[Note(record.reason, message, warning=True)], requeue=CONFLICT_RETRY)


def _failed(case: Case) -> Plan | None:
    """A bad end is charged to its budget: the next attempt is recorded, or the job is over."""
    if case.record.attempt == 0 or case.record.state is State.SUSPENDED:
        return None
    child = case.child
    deleted = child is None and bool(case.record.retry.job_uid)
    ghosts = [p for p in case.pods if case.is_ghost(p)]
    if not deleted and not ghosts and not (child is not None and child.failed):
        return None
    if not case.observed.pods_fresh:
        return Plan(needs=frozenset({Need.PODS}))
    told = (child is not None and child.failed) or any(p.failed and not echoes(p) for p in case.pods)
    if ghosts and not told:
        ghost = ghosts[0]
        message = f"Node {ghost.node or '(unknown)'} is lost with pod {ghost.name}."
        ended = replace(failure(Cause.NODE_LOST, message), pod=ghost.name, node=ghost.node)
    else:
        ended = _of_a_group(case, classify(child, case.pods))
    return _charge(case, ended)


def _of_a_group(case: Case, ended: Failure) -> Failure:
    """Say which of several pods failed."""
    found = next((p for p in case.pods if p.name == ended.pod), None)
    if case.policy.nodes == 1 or found is None or ended.cause is Cause.DEADLINE_EXCEEDED:
        return ended
    return replace(ended, message=f"Pod index {found.index}: {ended.message}")


def _charge(case: Case, ended: Failure) -> Plan:
    record, ran = case.record, ending.ran_seconds(case)
    price = charge(record.retry, ended, case.policy, ran, case.now)
    if price.retry is None:
        return ending.fail(case, ended, price.why)
    attempt = record.attempt + 1
    wait = (price.retry.not_before - case.now).total_seconds() if price.retry.not_before else 0.0
    state = State.STARTING if is_dependency(ended.cause) else State.RESTARTING
    remedy = "" if ended.remedy.startswith("Nothing") else ended.remedy
    story = sentences(
        f"Attempt {record.attempt}: {ended.message}", f"Attempt {attempt} follows", price.why, remedy
    )
    moved = case.moved(
        state,
        ended.cause,
        story,
        attempt=attempt,
        restarts=record.restarts + 1,
        retry=price.retry,
        last_failure=ended.to_status(record.attempt, case.now),
    )
    actions = _tidy(case.child, record.attempt, ended.cause)
    notes = [Note(ended.cause.value, story, warning=True)]
    return case.plan(moved, actions, notes, max(wait, 0.0), ending.disconnected(case))


def _tidy(job: AttemptJob | None, attempt: int, cause: str) -> list[Action]:
    """Remove a Job that could still start a pod, and Jobs of the causes that may repeat without end."""
    if job is None or (job.finished and cause not in _REPEATING):
        return []
    return [Delete(Child.JOB, attempt, job.uid)]


def _suspended(case: Case) -> Plan | None:
    """A wish to pause deletes the attempt's Job; its pod stops after a checkpoint."""
    if not case.policy.suspend:
        return None
    child = case.child
    actions = (
        [Delete(Child.JOB, case.record.attempt, child.uid)]
        if child is not None and not child.deleting
        else []
    )
    if case.record.state is State.SUSPENDED:
        return case.plan(case.record, actions)
    pods = "pod is" if case.policy.nodes == 1 else "pods are"
    message = f"runPolicy.suspend is true: the {pods} stopped after a checkpoint; set it to false to go on."
    record = case.moved(State.SUSPENDED, Reason.USER_SUSPENDED, message, retry=ending.spent(case))
    return case.plan(record, actions, [Note(record.reason, message)], before=ending.disconnected(case))


def _begun(case: Case) -> Plan | None:
    """A new or resumed job gets its next attempt, written down before anything is created."""
    first = case.record.attempt == 0
    if not first and case.record.state is not State.SUSPENDED:
        return None
    if wrong := problems(case.job.spec):
        return ending.fail(case, failure(Cause.INVALID_SPEC, "; ".join(wrong)), "")
    if case.policy.service_account and not case.observed.account:
        return _without_account(case)
    if first and not case.observed.coordinator_ready and case.age(case.job.created) < COORDINATOR_PATIENCE:
        message = (
            "The coordinator has not published its CA yet; the job starts when it has, or after a minute."
        )
        return case.plan(case.moved(State.PENDING, Reason.COORDINATOR_NOT_READY, message), requeue=2.0)
    if ending.out_of_time(case):
        return ending.fail(case, ending.deadline_passed(), "")
    if not first and (left := _left(case, case.child, case.record.attempt)):
        return case.plan(case.record, left, requeue=0.0)
    attempt = case.record.attempt + 1
    message = waiting.on_its_way(case, attempt)
    retry = replace(case.record.retry, job_uid="", not_before=None)
    record = case.moved(State.STARTING, Reason.JOB_CREATED, message, attempt=attempt, retry=retry)
    notes = [Note(record.reason, f"Job of attempt {attempt} is created.")]
    if not first and (case.live or not case.observed.pods_fresh):
        return case.plan(record, notes=notes, requeue=0.0 if not case.live else POLL)
    return case.plan(record, create(record, case), notes)


def _without_account(case: Case) -> Plan:
    """A ServiceAccount gives rights, so its owner has to allow its use: a manifest cannot."""
    if case.observed.account is None:
        return Plan(needs=frozenset({Need.ACCOUNT}))
    message = (
        f"ServiceAccount {case.policy.service_account} may not be used by trainer pods: create it with the "
        f'label {LABEL_USABLE}: "true"; the job then starts by itself.'
    )
    record = case.moved(State.PENDING, Reason.SERVICE_ACCOUNT_NOT_USABLE, message)
    return case.plan(record, notes=[Note(record.reason, message, warning=True)], requeue=15.0)


def create(record: Record, case: Case) -> list[Action]:
    """The children of an attempt, the Job last: a pod needs its spec and its peers' addresses to start."""
    deadline = case.policy.deadline_seconds
    return [
        CreateConfigMap(record.attempt),
        *([CreateNetwork(record.attempt)] if case.policy.nodes > 1 else []),
        CreateJob(
            record.attempt,
            memory=record.retry.memory,
            deadline_seconds=None if deadline is None else deadline - record.retry.run_seconds,
            excluded_nodes=record.retry.excluded_nodes,
        ),
    ]


def _launched(case: Case) -> Plan | None:
    """An attempt without a Job gets it when its time has come and no other pod lives."""
    if case.child is not None:
        return None
    record, not_before = case.record, case.record.retry.not_before
    if refusal := case.observed.refused:
        return _refused(case, refusal)
    if not_before is not None and not_before > case.now:
        return case.plan(record, requeue=(not_before - case.now).total_seconds())
    if not case.observed.pods_fresh or (record.attempt > 1 and case.observed.previous is None):
        return Plan(needs=frozenset({Need.PODS, *([Need.PREVIOUS] if record.attempt > 1 else [])}))
    if left := [a for job in case.observed.previous or () for a in _left(case, job, record.attempt - 1)]:
        return case.plan(record, left, requeue=0.0)
    if case.live:
        return case.plan(record, requeue=POLL)
    if ending.out_of_time(case):
        return ending.fail(case, ending.deadline_passed(), "")
    moved = _viewed(case, waiting.starting(case))
    return case.plan(moved, create(moved, case))


def _left(case: Case, job: AttemptJob | None, attempt: int) -> list[Action]:
    """Remove the Job of an attempt that is over, if the operator died before it did: its pods train on."""
    ours = job is not None and case.job.uid in job.owners and not job.deleting
    return _tidy(job, attempt, case.prior_cause) if ours else []


def _refused(case: Case, refusal: str) -> Plan:
    """The API server refused the Job in this pass: for good when the Job is wrong, else it is tried again."""
    if case.observed.refused_for_good:
        return ending.fail(
            case, failure(Cause.INVALID_SPEC, f"The API server refuses the Job: {refusal}"), ""
        )
    seen = waiting.refused(refusal)
    return _show(case, seen)


def _shown(case: Case) -> Plan | None:
    """Otherwise show what the attempt waits for or does, and repair what was tampered with."""
    child = case.child
    if child is None:
        return None
    seen = waiting.view(case)
    if seen.need is not None:
        return Plan(needs=frozenset({seen.need}), about=seen.about)
    plan = _show(case, seen)
    if child.in_order or child.deleting:
        return plan
    repair = PatchMetadata(Child.JOB, case.record.attempt, child.uid)
    return replace(plan, actions=(*plan.actions, repair))


def _viewed(case: Case, seen: waiting.View) -> Record:
    """The record that shows a view; a sticky message stays while state and reason do."""
    record = case.record
    same = record.state is seen.state and record.reason == seen.reason.value
    return case.moved(seen.state, seen.reason, record.message if same and seen.sticky else seen.message)


def _show(case: Case, seen: waiting.View) -> Plan:
    record, moved = case.record, _viewed(case, seen)
    if seen.state is State.RUNNING and record.start is None:
        starts = [p.started for p in case.pods if p.started is not None]
        moved = replace(moved, start=min(starts, default=case.now))
    notes = [Note(seen.reason.value, moved.message, warning=True)] if seen.warning else []
    return case.plan(moved, notes=notes, requeue=seen.requeue)


_STEPS: tuple[Callable[[Case], Plan | None], ...] = (
    ending.latched,
    _conflicted,
    ending.succeeded,
    _failed,
    _suspended,
    _begun,
    _launched,
    _shown,
)
