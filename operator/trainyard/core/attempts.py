"""The budget of attempts: what a failure costs, how long to wait, and when to give up.

The operator owns retry because only it knows causes: a Job's own backoffLimit charges a typing error, a lost
node and a broken MLflow server alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trainyard.api.states import Cause
from trainyard.core.failures import BUDGETS, Budget, Failure
from trainyard.core.policy import Policy
from trainyard.core.quantity import format_mebibytes, parse_quantity
from trainyard.core.record import Retry

DEPENDENCY_DELAYS = (5, 10, 20, 40, 60)
"""Seconds before each further try; the last one repeats."""
UNKNOWN_DELAY, UNKNOWN_DELAY_MAX = 10, 360
FREE_DELAY = 2
NODES_AVOIDED = 16
"""Nodes that are remembered at most, the latest ones; as many as the status takes."""
NEW_STREAK = 120
"""An attempt that ran for so many seconds had its dependencies: the next outage counts anew."""


@dataclass(frozen=True, slots=True)
class Charge:
    """The price of a failure: another attempt, or the end with its reason."""

    retry: Retry | None
    why: str


def charge(retry: Retry, failure: Failure, policy: Policy, ran: int, now: datetime) -> Charge:
    """Charge a failure to the budget of its cause.

    Args:
        retry: the bookkeeping so far.
        failure: how the attempt ended.
        policy: the manifest's knobs.
        ran: seconds that the attempt ran.
        now: the time.
    """
    spent = replace(avoid(retry, failure), run_seconds=retry.run_seconds + ran, job_uid="")
    match BUDGETS[failure.cause]:
        case Budget.NONE:
            return Charge(None, "")
        case Budget.FREE:
            return Charge(_wait(spent, FREE_DELAY, now), "This costs no retry.")
        case Budget.UNKNOWN:
            return _unknown(spent, policy, now)
        case Budget.DEPENDENCY:
            return _dependency(spent, policy, ran, now)
        case Budget.MEMORY:
            return _memory(spent, policy, now)


def avoid(retry: Retry, failure: Failure) -> Retry:
    """Remember a node that failed, so that the next attempt looks for another first."""
    if failure.cause not in {Cause.NODE_LOST, Cause.EVICTED} or not failure.node:
        return retry
    others = [node for node in retry.excluded_nodes if node != failure.node]
    return replace(retry, excluded_nodes=(*others, failure.node)[-NODES_AVOIDED:])


def is_dependency(cause: str) -> bool:
    """Whether a cause, as written in a status, is an outage of something the trainer needs."""
    return cause == Cause.DEPENDENCY_DOWN


def _unknown(retry: Retry, policy: Policy, now: datetime) -> Charge:
    if retry.unknown >= policy.backoff_limit:
        return Charge(None, f"runPolicy.backoffLimit ({policy.backoff_limit}) is used up.")
    tries = retry.unknown + 1
    delay = min(UNKNOWN_DELAY * 2 ** min(tries - 1, 10), UNKNOWN_DELAY_MAX)
    return Charge(
        _wait(replace(retry, unknown=tries), delay, now), f"Retry {tries} of {policy.backoff_limit}."
    )


def _dependency(retry: Retry, policy: Policy, ran: int, now: datetime) -> Charge:
    fresh = retry.dependency_since is None or ran >= NEW_STREAK
    since = now if fresh or retry.dependency_since is None else retry.dependency_since
    tries = 0 if fresh else retry.dependency_tries
    limit = policy.dependency_timeout_seconds
    delay = DEPENDENCY_DELAYS[min(tries, len(DEPENDENCY_DELAYS) - 1)]
    if (now - since).total_seconds() + delay > limit:
        return Charge(None, f"It did not come back within runPolicy.dependencyTimeoutSeconds ({limit}).")
    counted = replace(retry, dependency_since=since.replace(microsecond=0), dependency_tries=tries + 1)
    return Charge(_wait(counted, delay, now), f"It is tried again for up to {limit} seconds.")


def _memory(retry: Retry, policy: Policy, now: datetime) -> Charge:
    if policy.memory_factor is None or policy.memory is None:
        return Charge(None, "")
    if retry.out_of_memory >= 1:
        return Charge(None, "More memory was tried once already (runPolicy.onOOM).")
    had = parse_quantity(retry.memory) or policy.memory
    wanted = int(had * policy.memory_factor)
    if policy.max_memory is not None:
        wanted = min(wanted, policy.max_memory)
    if wanted <= had:
        return Charge(None, "runPolicy.onOOM.maxMemory allows no more memory.")
    memory = format_mebibytes(wanted)
    raised = replace(retry, out_of_memory=retry.out_of_memory + 1, memory=memory)
    return Charge(_wait(raised, FREE_DELAY, now), f"The next attempt gets {memory} of memory.")


def _wait(retry: Retry, seconds: int, now: datetime) -> Retry:
    try:
        until = (now + timedelta(seconds=seconds)).replace(microsecond=0)
    except OverflowError:
        until = now.replace(microsecond=0)
    return replace(retry, not_before=until)
