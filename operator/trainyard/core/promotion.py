"""The way of a finished TrainingJob's result into serving, read off status.promotion and the world.

`Pending -> Evaluating -> Rejected | AwaitingApproval -> RollingOut -> Verifying -> Promoted | RolledBack`.
The gate is judged once: what it said stands in the status before anything is registered, so that a result is
never measured against itself. What rolls out and what serves is the ModelServer's to say; this only watches.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from trainyard.api.states import ConditionType, PromotionState, Reason
from trainyard.core.case import Case
from trainyard.core.conditions import Condition, clip, is_true, parse_time, sentences, upkeep
from trainyard.core.gate import Candidate, judge, read_gate
from trainyard.core.plan import Action, CreateModelServer, Need, Note, Plan, Register
from trainyard.core.reading import text
from trainyard.core.serving_observed import PromotionFacts, RegistryFacts, ServerFacts, VersionFacts
from trainyard.core.standing import Standing, Wish
from trainyard.core.tags import claim_of, registered_name, version_tags

POLL = 15.0
"""Seconds after which a promotion that waits for others looks again, should their news be lost."""
PATIENT_POLL = 60.0
_BAD = frozenset({PromotionState.REJECTED, PromotionState.ROLLED_BACK})


def advance(case: Case) -> Plan | None:
    """The next step of a succeeded job's promotion; None when there is none to take."""
    wish, record = Wish.read(case.job.spec), case.record
    if wish is None or not is_true(record.conditions, ConditionType.SUCCEEDED):
        return None
    standing = Standing.parse(record.promotion)
    if standing.over(wish):
        return None
    facts = case.observed.promotion
    if facts is None:
        return Plan(needs=frozenset({Need.PROMOTION}))
    if standing.version is None:
        return _registering(case, wish, standing, facts)
    return _watching(case, wish, standing, facts.server)


def _registering(case: Case, wish: Wish, standing: Standing, facts: PromotionFacts) -> Plan:
    """Until the version has a number, MLflow is needed: for the champion's values, then to register."""
    registry = facts.registry
    if registry is None:
        return Plan(requeue_after=POLL)
    state = standing.state if standing.passed else PromotionState.EVALUATING
    if registry.error:
        message = f"MLflow does not answer, or refuses: {registry.error}. It is asked again."
        return _show(case, wish, standing.to(state, Reason.TRACKING_UNAVAILABLE, message), requeue=POLL)
    name, claim = registered_name(case.job.namespace, wish.model), claim_of(case.job.namespace, wish.model)
    if registry.claim is not None and registry.claim != claim:
        message = (
            f"Registered model {name} is not ours: its tag trainyard.modelserver is "
            f"{registry.claim or 'missing'}, not {claim}. Choose another promotion.model, or set that tag."
        )
        return _show(case, wish, standing.to(state, Reason.NAME_CONFLICT, message), requeue=PATIENT_POLL)
    if not standing.passed:
        if not wish.register_only and (ahead := _ahead(facts.server)) is not None:
            message = f"Version {ahead} is being rolled out; the gate compares with what serves after that."
            return _show(case, wish, standing.to(state, Reason.ROLLING_OUT, message), requeue=POLL)
        judged = _judged(case, wish, standing, registry, facts.server)
        if judged.state in _BAD:
            return _show(case, wish, judged)
        standing = judged
    found = registry.made_by(case.job.uid)
    if found is not None:
        return _watching(case, wish, replace(standing, version=found.number), facts.server)
    actions = () if registry.busy else (_register(case, name, claim),)
    return _show(case, wish, standing, actions, requeue=POLL)


def _ahead(server: ServerFacts | None) -> int | None:
    """A version that is on its way to be the champion; one at a time, so that a worse one cannot pass it."""
    return server.target if server is not None and server.target != server.serving else None


def _judged(
    case: Case, wish: Wish, standing: Standing, registry: RegistryFacts, server: ServerFacts | None
) -> Standing:
    """The gate's word; without a gate, or with mode Never, only a complete package is asked for."""
    gate = None if wish.register_only else read_gate(wish.gate)
    if gate is None and not wish.register_only and (wish.gate or wish.automatic):
        message = "spec.promotion.gate cannot be read: name a metric and a goal, and create the job again."
        return standing.to(PromotionState.REJECTED, Reason.INVALID_SPEC, message)
    # An alias that outlived its ModelServer names nothing that serves: a result need not beat it.
    champion = registry.champion if server is not None and server.serving is not None else None
    theirs = None if champion is None else registry.version(champion) or VersionFacts(champion)
    if theirs is not None and theirs.uid == case.job.uid:
        theirs = None
    verdict = judge(gate, _candidate(case), theirs)
    state, reason, message = PromotionState.REJECTED, verdict.reason, verdict.message
    if verdict.passed:
        state, reason = wish.passed_state, Reason.GATE_PASSED
    if verdict.passed and wish.register_only:
        reason, message = Reason.NOT_REQUESTED, "promotion.mode is Never: the result is only registered."
    number = theirs.number if theirs is not None and gate is not None else None
    return replace(
        standing.to(state, reason, message),
        candidate=verdict.candidate,
        champion=verdict.champion,
        champion_version=number,
    )


def _candidate(case: Case) -> Candidate:
    record = case.record
    return Candidate(
        uri=text(record.mlflow.get("modelURI")),
        sha256=text(record.mlflow.get("modelSHA256")),
        holdout_digest=text(record.data.get("holdoutDigest")),
        metrics=record.metrics,
    )


def _register(case: Case, name: str, claim: str) -> Register:
    mine, uid = _candidate(case), case.job.uid
    return Register(
        model=name,
        claim=claim,
        uid=uid,
        source=mine.uri,
        run_id=text(case.record.mlflow.get("runID")),
        tags=version_tags(uid, mine.sha256, mine.holdout_digest, mine.metrics),
    )


def _watching(case: Case, wish: Wish, standing: Standing, server: ServerFacts | None) -> Plan:
    """A registered version: how far has the ModelServer come with it?"""
    version = standing.version or 0
    if wish.register_only:
        name = registered_name(case.job.namespace, wish.model)
        message = f"Registered as version {version} of {name}; promotion.mode is Never."
        return _show(case, wish, standing.to(PromotionState.PENDING, Reason.REGISTERED, message))
    if server is None:
        return _without_server(case, wish, standing)
    if server.model != wish.model:
        message = (
            f"ModelServer {wish.model} serves another model ({server.model or 'unnamed'}); delete it, or "
            "choose another promotion.model."
        )
        return _show(
            case, wish, standing.to(standing.state, Reason.NAME_CONFLICT, message), requeue=PATIENT_POLL
        )
    if version in server.served:
        verb = "serves" if server.serving == version else "was promoted; another version serves now"
        message = sentences(f"Version {version} {verb}", standing.numbers(wish))
        return _show(case, wish, standing.to(PromotionState.PROMOTED, Reason.AVAILABLE, message))
    if server.failed == version:
        reason = next((r for r in Reason if r == server.failed_reason), Reason.ROLLOUT_FAILED)
        why = server.failed_message or "Look at the ModelServer's Events."
        message = sentences(f"Version {version} was taken back", why)
        return _show(case, wish, standing.to(PromotionState.ROLLED_BACK, reason, message))
    return _waiting(case, wish, standing, server)


def _without_server(case: Case, wish: Wish, standing: Standing) -> Plan:
    state = PromotionState.ROLLING_OUT if wish.automatic else PromotionState.AWAITING_APPROVAL
    if wish.automatic and wish.serving:
        message = _offer(wish, standing)
        create = CreateModelServer(wish.model, wish.server_spec())
        return _show(case, wish, standing.to(state, Reason.GATE_PASSED, message), (create,), requeue=POLL)
    message = (
        f"Version {standing.version} waits: there is no ModelServer {wish.model} in this namespace. Create "
        f"one with spec.model: {wish.model}, or set promotion.serving in the next job."
    )
    return _show(case, wish, standing.to(state, Reason.NO_VERSION, message), requeue=PATIENT_POLL)


def _waiting(case: Case, wish: Wish, standing: Standing, server: ServerFacts) -> Plan:
    """The ModelServer has not decided about the version yet, or may not."""
    version = standing.version or 0
    if server.target == version:
        state, reason = PromotionState.ROLLING_OUT, Reason.ROLLING_OUT
        message = f"ModelServer {wish.model} rolls out version {version}"
        if server.verifying:
            state, reason = PromotionState.VERIFYING, Reason.VERIFYING
            message = f"ModelServer {wish.model} verifies version {version}"
        return _show(
            case, wish, standing.to(state, reason, sentences(message, standing.numbers(wish))), requeue=POLL
        )
    if not wish.automatic:
        message = f"Version {version} passed and waits for you. {_pin(wish, version)}"
        waiting = standing.to(PromotionState.AWAITING_APPROVAL, Reason.GATE_PASSED, message)
        return _show(case, wish, waiting, requeue=PATIENT_POLL)
    if server.source != "promotions" and server.pinned != version:
        held = f"version {server.pinned}" if server.pinned else "an alias"
        message = (
            f"Version {version} waits: ModelServer {wish.model} is pinned to {held} by spec.source. "
            f"{_pin(wish, version)} To let promotions decide: set spec.source to {{promotions: {{}}}}."
        )
        pinned = standing.to(PromotionState.AWAITING_APPROVAL, Reason.PINNED_BY_USER, message)
        return _show(case, wish, pinned, requeue=PATIENT_POLL)
    if server.serving is not None and server.serving > version and server.pinned is None:
        message = f"Version {server.serving}, which is newer, began to serve while version {version} waited."
        return _show(case, wish, standing.to(PromotionState.REJECTED, Reason.SUPERSEDED, message))
    counts = server.serving_since is not None and server.pinned is None
    left = wish.cooldown - case.age(server.serving_since) if counts else 0.0
    if left > 0:
        message = f"Version {version} waits: promotion.cooldownSeconds ({wish.cooldown}) are not over."
        cooling = standing.to(PromotionState.AWAITING_APPROVAL, Reason.COOLING_DOWN, message)
        return _show(case, wish, cooling, requeue=left)
    offered = standing.to(PromotionState.ROLLING_OUT, Reason.GATE_PASSED, _offer(wish, standing))
    return _show(case, wish, offered, requeue=POLL)


def _offer(wish: Wish, standing: Standing) -> str:
    told = f"Version {standing.version} is offered to ModelServer {wish.model}"
    return sentences(told, standing.numbers(wish))


def _pin(wish: Wish, version: int) -> str:
    """The command that makes a version serve whatever was decided before."""
    patch = f'{{"spec":{{"source":{{"version":"{version}","promotions":null,"follow":null}}}}}}'
    command = f"kubectl patch modelserver {wish.model} --type=merge -p '{patch}'"
    return f"To serve it: {command} (then it is verified)."


def _show(
    case: Case,
    wish: Wish,
    standing: Standing,
    actions: tuple[Action, ...] = (),
    requeue: float | None = None,
) -> Plan:
    """Write where the promotion stands, into status.promotion and the condition Promoted."""
    before = Standing.parse(case.record.promotion)
    since = before.time if before.state is standing.state and before.time else case.now.replace(microsecond=0)
    standing = replace(standing, model=wish.model, message=clip(standing.message), time=since)
    promoted = standing.state is PromotionState.PROMOTED
    reason = standing.reason or Reason.NOT_REQUESTED.value
    condition = Condition(
        ConditionType.PROMOTED.value, promoted, reason, standing.message, case.job.generation, case.now
    )
    record = replace(
        case.record,
        promotion=standing.to_dict(),
        conditions=upkeep(case.record.conditions, condition),
    )
    warning = standing.state in _BAD or reason in (Reason.NAME_CONFLICT, Reason.TRACKING_UNAVAILABLE)
    return case.plan(record, actions, [Note(reason, standing.message, warning=warning)], requeue)


def wanted(case: Case) -> bool:
    """Whether the manifest says anything about promotion."""
    return Wish.read(case.job.spec) is not None


def ended(case: Case) -> datetime | None:
    """When the promotion reached its present, last state."""
    return parse_time(case.record.promotion.get("time"))
