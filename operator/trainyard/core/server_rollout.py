"""A version on its way into serving: applied, available, verified, named champion; or taken back."""

from __future__ import annotations

from dataclasses import replace

from trainyard.api.states import Reason, ServerState
from trainyard.core.conditions import clip, sentences
from trainyard.core.server_case import ServerCase
from trainyard.core.server_record import Failed
from trainyard.core.server_steady import rest
from trainyard.core.server_target import POLL, Choice, choose
from trainyard.core.serving_observed import DeploymentFacts, Release, VerifyFacts
from trainyard.core.serving_plan import (
    ApplyDeployment,
    ApplyService,
    CreateVerifyJob,
    DeleteVerifyJob,
    MoveAlias,
    ServerAction,
    ServerPlan,
)

VERIFY_SLACK = 120
"""Seconds that a verify Job gets beyond its watching: to be scheduled, to fetch the package, to end."""


def roll_out(case: ServerCase, choice: Choice, version: int) -> ServerPlan:
    """The next step towards serving a version that does not serve yet."""
    silent, under_way = case.observed.registry is None, case.record.target == version
    if silent and not under_way:
        return ServerPlan(requeue_after=POLL)
    if not silent and not case.ours and (case.registry.claim is not None or not case.registry.error):
        return _not_ours(case, version)
    release = case.release(version)
    if release is None:
        return ServerPlan(requeue_after=POLL) if silent else _unknown(case, version)
    if case.record.target != version or case.record.target_since is None:
        return _begin(case, choice, release)
    verified = case.verification(version)
    if verified is not None and verified.succeeded:
        finished = _finish(case, choice, release)
        if finished is not None:
            return finished
    if verified is not None and verified.failed:
        why = verified.message or f"Job {verified.name} failed; read its pod's log."
        return _take_back(case, release, Reason.VERIFY_FAILED, f"Version {version} was not verified: {why}")
    return _press_on(case, release, verified)


def _begin(case: ServerCase, choice: Choice, release: Release) -> ServerPlan:
    """Write the target down first, then apply: a Deployment never runs what no status knows of."""
    failed = case.record.failed if choice.named is None else None
    record = case.moved(
        ServerState.ROLLING_OUT,
        Reason.ROLLING_OUT.value,
        _rolling(case, release),
        target=release.version,
        target_since=case.now.replace(microsecond=0),
        failed=failed,
    )
    return case.plan(record, [*case.outdated(release.version), *_applied(case, release)], 1.0)


def _press_on(case: ServerCase, release: Release, verified: VerifyFacts | None) -> ServerPlan:
    """Between the beginning and the verdict: apply, wait for the pods, start the verification."""
    version, live = release.version, case.deployment
    late = case.age(case.record.target_since) > case.knobs.deadline
    actions = [*case.outdated(version), *_applied(case, release)]
    if live is None or not case.runs(release) or not live.rolled_out:
        if late and (live is None or live.release != release):
            return _begin(case, Choice(version), release)  # nobody was there to apply it in its time
        if late:
            trouble = live.trouble if live is not None else ""
            message = sentences(
                f"Version {version} was not available within rollout.deadlineSeconds ({case.knobs.deadline})",
                trouble or "Read the log of its pods",
            )
            return _take_back(case, release, Reason.ROLLOUT_FAILED, message)
        record = case.moved(ServerState.ROLLING_OUT, Reason.ROLLING_OUT.value, _rolling(case, release))
        return case.plan(record, actions, _left(case))
    message = f"Every pod of version {version} is available; it is verified through the Service."
    record = case.moved(ServerState.ROLLING_OUT, Reason.VERIFYING.value, message)
    if verified is None:
        actions += _verify(case, release, live)
    return case.plan(record, actions, _left(case))


def _verify(case: ServerCase, release: Release, live: DeploymentFacts) -> list[ServerAction]:
    """A new verification; a Job that holds its name but asked another Deployment goes first."""
    number = (release.version, live.generation)
    holders = [v for v in case.observed.verifications if (v.version, v.generation) == number]
    if any(v.deleting or not v.over for v in holders):
        return []
    left = int(case.knobs.deadline - case.age(case.record.target_since))
    seconds = max(left, case.knobs.verify_seconds + VERIFY_SLACK)
    gone = [DeleteVerifyJob(v.name, v.uid) for v in holders]
    return [*gone, CreateVerifyJob(release, live.uid, live.generation, seconds)]


def _finish(case: ServerCase, choice: Choice, release: Release) -> ServerPlan | None:
    """Verified: move the alias, and once it is moved say that the version serves."""
    version, registry, live = release.version, case.registry, case.deployment
    if case.observed.registry is None:
        return ServerPlan(requeue_after=POLL)
    if registry.champion == version and not registry.error:
        promoted = case.record.promoted(release, choice.by, clip(choice.message), case.now)
        kept = None if choice.named is not None else _unforgiven(case, version)
        return rest(replace(case, record=replace(promoted, failed=kept)), choice)
    message = f"Version {version} is verified; the alias champion is moved to it."
    if not registry.busy:
        ready = case.runs(release) and live is not None and live.rolled_out
        if not case.runs(release) or not (ready or registry.error):
            return None
        if registry.error:
            message = f"Version {version} is verified; the alias champion waits for MLflow: {registry.error}."
    record = case.moved(ServerState.ROLLING_OUT, Reason.VERIFYING.value, message)
    waits = bool(registry.busy or registry.error)
    return case.plan(record, () if waits else (MoveAlias(case.registered, version),), POLL)


def _take_back(case: ServerCase, release: Release, reason: Reason, message: str) -> ServerPlan:
    """Remember the failure; what served comes back, by the same steps that keep it."""
    failed = Failed(release.version, reason.value, clip(message, 700), case.now.replace(microsecond=0))
    record = replace(case.record, failed=failed, target=case.record.serving, target_since=None)
    back = replace(case, record=record)
    return replace(rest(back, choose(back)), requeue_after=1.0)


def _not_ours(case: ServerCase, version: int) -> ServerPlan:
    """A registered model without our claim is somebody else's, whatever it is called."""
    claim = case.registry.claim
    if claim is None:
        return _unknown(case, version)
    message = (
        f"Version {version} waits: registered model {case.registered} is not this ModelServer's; its tag "
        f"trainyard.modelserver is {claim or 'missing'}, not {case.claim}. Set the tag, or choose another."
    )
    return _held(case, Reason.NAME_CONFLICT, message)


def _unknown(case: ServerCase, version: int) -> ServerPlan:
    """Where the version's package lies is not known: MLflow is down, or there is no such version."""
    if case.registry.error:
        message = f"Version {version} waits for MLflow: {case.registry.error}."
        return _held(case, Reason.TRACKING_UNAVAILABLE, message)
    if case.registry.version(version) is not None:
        message = (
            f"Version {version} of {case.registered} has no tag trainyard.artifactURI or trainyard.sha256."
        )
        return _held(case, Reason.NO_VERSION, message)
    message = f"Registered model {case.registered} has no version {version}; see its versions in MLflow."
    return _held(case, Reason.NO_VERSION, message)


def _held(case: ServerCase, reason: Reason, message: str) -> ServerPlan:
    """A target that cannot begin leaves what serves in peace."""
    return rest(case, Choice(case.record.serving, message=message, held=reason))


def _applied(case: ServerCase, release: Release) -> list[ServerAction]:
    actions: list[ServerAction] = []
    if not case.runs(release):
        actions.append(ApplyDeployment(release))
    if not case.observed.service_in_order:
        actions.append(ApplyService())
    return actions


def _rolling(case: ServerCase, release: Release) -> str:
    live = case.deployment
    trouble = live.trouble if live is not None and live.release == release else ""
    told = f"Version {release.version} is rolled out: {case.pods(release.version)} are available"
    return sentences(told, trouble)


def _unforgiven(case: ServerCase, version: int) -> Failed | None:
    """A failure is forgotten when its own version, or a newer one, serves."""
    failed = case.record.failed
    return failed if failed is not None and failed.version > version else None


def _left(case: ServerCase) -> float:
    """When to look again, should no news come: at the deadline at the latest."""
    left = case.knobs.deadline - case.age(case.record.target_since) + 1
    return max(1.0, min(left, POLL))
