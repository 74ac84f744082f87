"""What an attempt waits for or does, told from its pods and, when they say nothing, from Events."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from trainyard.api.names import KUEUE_GROUP
from trainyard.api.states import Cause, Reason, State
from trainyard.core.attempts import is_dependency
from trainyard.core.case import Case
from trainyard.core.observed import Event, Pod
from trainyard.core.plan import Need

NO_POD, NO_CONTAINER = 5, 15
"""Seconds without a pod, or in ContainerCreating, after which Events are asked for the reason."""
COUNTS, NAMED = 8, 8
"""Steps in which the pods of a starting group are counted, and how many of them a message names."""
DEPENDENCY_PROOF = 20
"""Seconds that a trainer must run after an outage before it counts as running: it gives up within 15 s."""

_IMAGE = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
_START = frozenset({"CreateContainerError", "RunContainerError", "StartError", "ContainerCannotRun"})
_CREATING = frozenset({"", "ContainerCreating", "PodInitializing"})
_MISSING_SECRET = re.compile(r'secrets? "([^"]{1,253})" not found')


@dataclass(frozen=True, slots=True)
class View:
    """The state to show, and how soon to look again."""

    state: State
    reason: Reason | Cause
    message: str
    requeue: float | None = None
    warning: bool = False
    sticky: bool = False
    """The message of the first sighting stays while state and reason do: Kubernetes alternates the texts."""
    need: Need | None = None
    """What to look at before this is told."""
    about: str = ""
    """With Need.EVENTS: uid of the Job or pod that they are about."""


def on_its_way(case: Case, attempt: int) -> str:
    """What is told of an attempt that is begun."""
    if case.policy.nodes == 1:
        return f"The pod of attempt {attempt} is on its way."
    return f"The {case.policy.nodes} pods of attempt {attempt} are on their way."


def starting(case: Case, requeue: float | None = None) -> View:
    """The attempt is on its way and nothing is known to be in its way."""
    attempt, cause = case.record.attempt, case.prior_cause
    count = _count(case)
    if cause:
        state = State.STARTING if is_dependency(cause) else State.RESTARTING
        message = f"Attempt {attempt} is on its way after {cause} of attempt {attempt - 1}."
        return View(state, Cause(cause), message + count, requeue, sticky=not count)
    return View(State.STARTING, Reason.JOB_CREATED, on_its_way(case, attempt) + count, requeue)


def _asking(case: Case, uid: str) -> View:
    """Nothing is told before the Events of an object are seen."""
    return replace(starting(case), need=Need.EVENTS, about=uid)


def _count(case: Case) -> str:
    """How many pods of a group run, in at most COUNTS steps: each is a write of the status."""
    nodes = case.policy.nodes
    step = -(-nodes // COUNTS)
    shown = sum(p.running for p in case.pods) // step * step
    return (
        f" {'At least ' if step > 1 else ''}{shown} of {nodes} pods running." if nodes > 1 and shown else ""
    )


def view(case: Case) -> View:
    """Tell the state of an attempt whose Job exists and is not over."""
    child = case.child
    if child is not None and child.suspended and case.policy.queue_name:
        return _queued(case)
    pods = case.pods
    if any(p.failed for p in pods) or (pods and all(p.over for p in pods)):
        # The Job's condition comes within a second or two, in a group when its other pods have stopped.
        return View(_kept_state(case), _kept_reason(case), case.record.message, 5.0, sticky=True)
    if len(pods) < case.policy.nodes:
        return _without_pod(case)
    if waiting := [p for p in pods if not p.running and not p.over]:
        return _waiting(case, waiting)
    return _running(case, [p for p in pods if p.running])


def _queued(case: Case) -> View:
    queue = case.policy.queue_name
    message = f"The job waits in Kueue's queue {queue}; kubectl describe workloads tells its place."
    if case.observed.kueue is False:
        message = (
            f"runPolicy.queueName is {queue}, but this cluster has no Kueue (API group {KUEUE_GROUP}): "
            "install it, and the queue admits the job; or create the job again without queueName."
        )
        return View(State.PENDING, Reason.KUEUE_NOT_INSTALLED, message, 60.0, warning=True)
    return View(
        State.PENDING, Reason.QUEUED, message, need=Need.KUEUE if case.observed.kueue is None else None
    )


def _without_pod(case: Case) -> View:
    """Pods are missing: the Job's Events tell whether they are refused."""
    child = case.child
    age = case.age(child.created if child is not None else None)
    if age < NO_POD:
        return starting(case, NO_POD - age)
    if case.observed.events is None and child is not None:
        return _asking(case, child.uid)
    return _from_events(case.observed.events or (), "Job") or starting(case, NO_CONTAINER)


def _running(case: Case, running: list[Pod]) -> View:
    progress = case.job.status.get("progress")
    heard = isinstance(progress, dict) and progress.get("attempt") == case.record.attempt
    proven = heard or case.record.state is State.RUNNING
    age = min(case.age(p.started) for p in running)
    if is_dependency(case.prior_cause) and not proven and age < DEPENDENCY_PROOF:
        return starting(case, DEPENDENCY_PROOF - age)
    alone, node = case.policy.nodes == 1, running[0].node
    where = f" on {len(running)} pods" if not alone else f" on node {node}" if node else ""
    ghosts = [p.deletion for p in running if p.deletion is not None]
    requeue = 35.0 if ghosts else None
    return View(State.RUNNING, Reason.TRAINING, f"Attempt {case.record.attempt} trains{where}.", requeue)


def _kept_state(case: Case) -> State:
    return case.record.state or State.STARTING


def _kept_reason(case: Case) -> Reason | Cause:
    for words in (Reason, Cause):
        if case.record.reason in set(words):
            return words(case.record.reason)
    return Reason.JOB_CREATED


def _waiting(case: Case, pods: list[Pod]) -> View:
    """Why pods do not run: one that can never start says more than one that is being created."""
    if unplaced := [p for p in pods if p.unschedulable]:
        return _unschedulable(case, unplaced)
    for pod in pods:
        if (view := _trouble(pod)) is not None:
            group = case.policy.nodes > 1
            return replace(view, message=f"Pod index {pod.index}: {view.message}") if group else view
    creating = next((p for p in pods if p.waiting in _CREATING), None)
    return starting(case) if creating is None else _creating(case, creating)


def _unschedulable(case: Case, pods: list[Pod]) -> View:
    which = "the pod"
    if case.policy.nodes > 1:
        first = ", ".join(str(p.index) for p in pods[:NAMED])
        more = f" and {len(pods) - NAMED} more" if len(pods) > NAMED else ""
        which = f"{len(pods)} of {case.policy.nodes} pods (index {first}{more}), and none trains without all"
    message = (
        f"No node takes {which}: {pods[0].unschedulable}. Ask for less in compute.resources or add nodes."
    )
    return View(State.PENDING, Reason.UNSCHEDULABLE, message, warning=True)


def _trouble(pod: Pod) -> View | None:
    """What keeps a pod that has a node from starting, as far as its container says."""
    if pod.waiting in _IMAGE:
        return _image(pod)
    if pod.waiting == "CreateContainerConfigError":
        return _container_config(pod)
    if pod.waiting in _START:
        message = (
            f"The container cannot be started: {pod.waiting_message}. Check compute.image and model.custom."
        )
        return View(State.STARTING, Reason.CONTAINER_START_ERROR, message, warning=True)
    return None


def _creating(case: Case, pod: Pod) -> View:
    age = case.age(pod.created)
    if age < NO_CONTAINER:
        return starting(case, NO_CONTAINER - age)
    if case.observed.events is None:
        return _asking(case, pod.uid)
    return _from_events(case.observed.events, "Pod") or starting(case, NO_CONTAINER)


def _image(pod: Pod) -> View:
    detail = f" ({pod.waiting_message})" if pod.waiting_message else ""
    message = f"The image {pod.image} cannot be pulled{detail}. Check its name and imagePullSecrets."
    return View(State.STARTING, Reason.IMAGE_PULL_BACK_OFF, message, warning=True, sticky=True)


def _container_config(pod: Pod) -> View:
    missing = _MISSING_SECRET.search(pod.waiting_message)
    if missing:
        return _missing_secret(missing[1])
    message = f"The container cannot be configured: {pod.waiting_message}. Check env and envFrom."
    return View(State.STARTING, Reason.CONTAINER_CONFIG_ERROR, message, warning=True, sticky=True)


def _missing_secret(name: str) -> View:
    message = f'Secret "{name}" is not in the namespace: create it; the pod then starts by itself.'
    return View(State.STARTING, Reason.MISSING_SECRET, message, 15.0, warning=True)


def _from_events(events: Iterable[Event], kind: str) -> View | None:
    """The first Event of a kind of object that explains why nothing happens."""
    for event in events:
        if event.kind != kind:
            continue
        if event.reason == "FailedCreate":
            return refused(event.message)
        if event.reason in {"FailedMount", "FailedAttachVolume"}:
            if missing := _MISSING_SECRET.search(event.message):
                return _missing_secret(missing[1])
            message = f"A volume cannot be mounted: {event.message}. Check compute.podTemplate.volumes."
            return View(State.STARTING, Reason.MOUNT_FAILED, message, 15.0, warning=True, sticky=True)
    return None


def refused(message: str) -> View:
    """The API server takes the Job or its pod not at all."""
    if "exceeded quota" in message or "failed quota" in message:
        text = f"A ResourceQuota leaves no room: {message}. Ask for less, or wait: it is tried again."
        return View(State.PENDING, Reason.QUOTA_EXCEEDED, text, 15.0, warning=True, sticky=True)
    text = (
        f"The API server refuses the pod: {message}. Check the namespace's policies and compute.podTemplate."
    )
    return View(State.PENDING, Reason.POD_REJECTED, text, 15.0, warning=True, sticky=True)
