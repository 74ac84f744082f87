"""Why an attempt ended: from exit code, last word, pod status and Job condition to cause, budget, remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from trainyard.api.states import EXIT_CAUSES, Cause
from trainyard.core.conditions import clip, format_time
from trainyard.core.observed import AttemptJob, Pod
from trainyard.core.result import Result, parse_result


class Budget(StrEnum):
    """What a failure is charged to."""

    NONE = "none"
    """Trying again cannot help."""
    MEMORY = "memory"
    """One more try, with more memory, when the manifest allows it."""
    UNKNOWN = "unknown"
    """runPolicy.backoffLimit tries."""
    DEPENDENCY = "dependency"
    """As often as needed within runPolicy.dependencyTimeoutSeconds."""
    FREE = "free"
    """Not the job's fault."""


BUDGETS = {
    Cause.INVALID_SPEC: Budget.NONE,
    Cause.DATA_ERROR: Budget.NONE,
    Cause.NOT_ALLOWED: Budget.NONE,
    Cause.DEADLINE_EXCEEDED: Budget.NONE,
    Cause.OOM_KILLED: Budget.MEMORY,
    Cause.DEPENDENCY_DOWN: Budget.DEPENDENCY,
    Cause.TEMPORARY: Budget.UNKNOWN,
    Cause.STOPPED: Budget.UNKNOWN,
    Cause.KILLED: Budget.UNKNOWN,
    Cause.UNKNOWN: Budget.UNKNOWN,
    Cause.EVICTED: Budget.UNKNOWN,
    Cause.DISRUPTED: Budget.FREE,
    Cause.NODE_LOST: Budget.FREE,
    Cause.POD_DELETED: Budget.FREE,
}

REMEDIES = {
    Cause.INVALID_SPEC: "Correct the manifest and create the job again.",
    Cause.DATA_ERROR: "Correct the data or spec.data and create the job again.",
    Cause.NOT_ALLOWED: "Ask for access, or name credentials that have it, and create the job again.",
    Cause.DEPENDENCY_DOWN: "Look whether MLflow and the data host can be reached from the namespace.",
    Cause.TEMPORARY: "Nothing: it is tried again while runPolicy.backoffLimit lasts.",
    Cause.STOPPED: "Nothing: it goes on from its checkpoint while runPolicy.backoffLimit lasts.",
    Cause.OOM_KILLED: "Raise compute.resources.limits.memory or set runPolicy.onOOM.",
    Cause.KILLED: "Look at the node's log for what killed the process.",
    Cause.UNKNOWN: "Read logTail and the pod's log.",
    Cause.EVICTED: "Raise the ephemeral-storage limit or store less in the pod.",
    Cause.DISRUPTED: "Nothing: it goes on from its checkpoint.",
    Cause.NODE_LOST: "Nothing: it goes on from its checkpoint on another node.",
    Cause.POD_DELETED: "Nothing: it goes on from its checkpoint; runPolicy.suspend stops it.",
    Cause.DEADLINE_EXCEEDED: "Raise runPolicy.activeDeadlineSeconds and create the job again.",
}

_CODE_IN_MESSAGE = re.compile(r"exit code ([0-9]{1,3}) ")
_POD_IN_MESSAGE = re.compile(r"[Pp]od [^ /]{1,63}/([a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?) ")


@dataclass(frozen=True, slots=True)
class Failure:
    """The end of one attempt."""

    cause: Cause
    message: str
    remedy: str
    pod: str = ""
    node: str = ""
    exit_code: int | None = None
    log_tail: str = ""
    result: Result | None = None

    def to_status(self, attempt: int, now: datetime) -> dict[str, Any]:
        """As status.lastFailure keeps it."""
        entry = {
            "attempt": attempt,
            "cause": self.cause.value,
            "message": clip(self.message),
            "remedy": clip(self.remedy),
            "pod": self.pod,
            "node": self.node,
            "exitCode": None if self.exit_code is None else max(-1, min(self.exit_code, 255)),
            "logTail": self.log_tail,
            "time": format_time(now),
        }
        return {k: v for k, v in entry.items() if v not in ("", None)}


def failure(cause: Cause, message: str) -> Failure:
    """A failure that no pod told of."""
    return Failure(cause, message, REMEDIES[cause])


def classify(job: AttemptJob | None, pods: Sequence[Pod]) -> Failure:
    """Name the cause of a failed attempt: what a pod says that failed of itself, or the Job for it."""
    pod = min((p for p in pods if p.failed), key=_blame, default=None)
    if job is not None and job.reason == "DeadlineExceeded":
        return _of_pod(
            Cause.DEADLINE_EXCEEDED, "The job ran longer than runPolicy.activeDeadlineSeconds.", pod
        )
    if pod is None:
        return _of_job(job)
    result = parse_result(pod.last_word)
    cause = _cause(pod, result)
    told = _of_job(job)
    if echoes(pod) and told.cause not in _ECHOES | {cause, Cause.UNKNOWN, Cause.POD_DELETED}:
        return told
    message = (result.message if result else "") or _message(cause, pod)
    return _of_pod(cause, message, pod, result)


def echoes(pod: Pod) -> bool:
    """Whether a failed pod may only have followed another: it lost its peers, or was stopped with them."""
    cause = _cause(pod, parse_result(pod.last_word))
    return cause in _ECHOES or (cause is Cause.KILLED and pod.deletion is not None)


def _blame(pod: Pod) -> tuple[int, float, int]:
    """Order of failed pods: what tells its own cause, what may have failed of itself, what follows a peer.

    Times come second: clocks of nodes differ, and whole seconds are too coarse for peers that end together.
    """
    plain = _cause(pod, parse_result(pod.last_word)) in _PLAIN
    rank = 0 if plain else 2 if echoes(pod) else 1
    return rank, pod.ended.timestamp() if pod.ended is not None else float("inf"), pod.index


def _cause(pod: Pod, result: Result | None) -> Cause:
    if pod.exit_code is not None and EXIT_CAUSES.get(pod.exit_code, Cause.UNKNOWN) in _USER:
        return EXIT_CAUSES[pod.exit_code]
    if pod.disrupted:
        return Cause.DISRUPTED
    if pod.reason == "Evicted":
        return Cause.EVICTED
    if pod.exit_reason == "OOMKilled" or (result is not None and result.cause == Cause.OOM_KILLED):
        return Cause.OOM_KILLED
    return EXIT_CAUSES.get(pod.exit_code, Cause.UNKNOWN) if pod.exit_code is not None else Cause.UNKNOWN


_USER = frozenset({Cause.INVALID_SPEC, Cause.DATA_ERROR, Cause.NOT_ALLOWED})
_PLAIN = _USER | {Cause.OOM_KILLED, Cause.EVICTED, Cause.DISRUPTED}
_ECHOES = frozenset({Cause.TEMPORARY, Cause.STOPPED})


def _message(cause: Cause, pod: Pod) -> str:
    match cause:
        case Cause.DISRUPTED:
            return f"The pod was taken off its node ({pod.disrupted})."
        case Cause.EVICTED:
            return f"The node evicted the pod: {pod.message or 'it used too much of a resource'}"
        case Cause.OOM_KILLED:
            return "The pod used more memory than its limit and was killed."
        case Cause.DEPENDENCY_DOWN:
            return "A service that the trainer needs does not answer."
        case _ if pod.exit_code is not None:
            return f"The trainer ended with exit code {pod.exit_code}."
        case _:
            return f"The pod failed: {pod.reason or 'no reason given'}. {pod.message}".strip()


def _of_pod(cause: Cause, message: str, pod: Pod | None, result: Result | None = None) -> Failure:
    remedy = (result.remedy if result else "") or REMEDIES[cause]
    if pod is None:
        return Failure(cause, message, remedy)
    tail = "" if result else pod.last_word[-2048:]
    return Failure(cause, message, remedy, pod.name, pod.node, pod.exit_code, tail, result)


def _of_job(job: AttemptJob | None) -> Failure:
    """The pod is gone; the Job's condition kept the cause because its failure policy names each exit code."""
    if job is None:
        return failure(Cause.POD_DELETED, "The Job of the attempt was deleted.")
    named = _POD_IN_MESSAGE.search(job.message)
    pod = named[1] if named else ""
    if job.reason == "PodFailurePolicy" and "DisruptionTarget" in job.message:
        return replace(failure(Cause.DISRUPTED, "The pod was taken off its node."), pod=pod)
    found = _CODE_IN_MESSAGE.search(job.message)
    if found is None:
        return failure(Cause.UNKNOWN, f"The Job failed: {job.reason}. {job.message}".strip())
    code = int(found[1])
    cause = EXIT_CAUSES.get(code, Cause.UNKNOWN)
    message = f"The trainer ended with exit code {code}; its pod is gone."
    return Failure(cause, message, REMEDIES[cause], pod, exit_code=code)
