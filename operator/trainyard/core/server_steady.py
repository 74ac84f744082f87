"""A ModelServer at rest: what serves is kept as it should be; without it, what is waited for is said."""

from __future__ import annotations

from trainyard.api.states import Reason, ServerState
from trainyard.core.conditions import sentences
from trainyard.core.server_case import ServerCase
from trainyard.core.server_target import POLL, Choice
from trainyard.core.serving_plan import ApplyDeployment, ApplyService, MoveAlias, ServerAction, ServerPlan

FOLLOW_POLL = 30.0


def rest(case: ServerCase, choice: Choice) -> ServerPlan:
    """What to do while no version is on its way."""
    version = case.record.serving
    return _idle(case, choice) if version is None else _steady(case, choice, version)


def _idle(case: ServerCase, choice: Choice) -> ServerPlan:
    """Nothing serves and nothing should: say what is waited for."""
    cleanup, failed = case.outdated(None), case.record.failed
    if choice.held is not None:
        state = ServerState.FAILED if failed is not None else ServerState.WAITING
        record = case.moved(state, choice.held.value, choice.message, target=None, target_since=None)
        return case.plan(record, cleanup, POLL)
    message = (
        f"No version of {case.registered} was promoted yet: give a TrainingJob promotion.model: "
        f"{case.knobs.model}, or pin a version in spec.source.version."
    )
    record = case.moved(ServerState.WAITING, Reason.NO_VERSION.value, message, target=None, target_since=None)
    return case.plan(record, cleanup)


def _steady(case: ServerCase, choice: Choice, version: int) -> ServerPlan:
    """The serving version is the right one: keep its Deployment, Service and alias as they should be."""
    release, live = case.release(version), case.deployment
    actions: list[ServerAction] = case.outdated(None)
    if release is not None and not case.runs(release):
        actions.append(ApplyDeployment(release))
    if not case.observed.service_in_order:
        actions.append(ApplyService())
    failed = case.record.failed
    if failed is not None and choice.named == version:
        failed = None
    if release is not None and case.runs(release) and live is not None and live.rolled_out:
        actions += _repaired_alias(case, version)
    state, reason, message = _health(case, choice, version)
    record = case.moved(state, reason.value, message, target=version, target_since=None, failed=failed)
    return case.plan(
        record, actions, FOLLOW_POLL if case.knobs.source == "follow" else _patience(case, choice)
    )


def _health(case: ServerCase, choice: Choice, version: int) -> tuple[ServerState, Reason, str]:
    live, serves = case.deployment, f"Version {version} serves"
    if case.release(version) is None:
        why = "where its package lies is not known" + (
            f" ({case.registry.error})" if case.registry.error else ""
        )
        return ServerState.DEGRADED, Reason.TRACKING_UNAVAILABLE, sentences(f"Version {version}: {why}")
    if choice.held is not None:
        return ServerState.DEGRADED, choice.held, sentences(serves, choice.message)
    if case.to_zero:
        message = f"Version {version} is scaled to no replicas; set spec.replicas to 1 or more."
        return ServerState.DEGRADED, Reason.SCALED_TO_ZERO, message
    if live is None or not live.rolled_out or live.release != case.release(version) or not live.in_order:
        trouble = live.trouble if live is not None else ""
        message = sentences(f"{case.pods(version)} of version {version} answer", trouble)
        return ServerState.DEGRADED, Reason.ROLLING_OUT, message
    return ServerState.SERVING, Reason.AVAILABLE, sentences(serves)


def _repaired_alias(case: ServerCase, version: int) -> list[ServerAction]:
    """`champion` names what serves: somebody moved it, or a crash came between the alias and the status."""
    registry = case.registry
    known = case.ours and not registry.error and not registry.busy and registry.version(version) is not None
    return [MoveAlias(case.registered, version)] if known and registry.champion != version else []


def _patience(case: ServerCase, choice: Choice) -> float | None:
    return POLL if choice.held is not None or case.registry.error else None
