"""What holds for every decision about a ModelServer, whatever the world looks like."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.core.server_strategies import deployments, numbers, registries, servers, worlds
from tests.unit.core.strategies import times
from trainyard.api.modelserver import ModelServerStatus
from trainyard.core.modelserver import decide_server
from trainyard.core.server_record import ServerRecord
from trainyard.core.serving_plan import ApplyDeployment, CreateVerifyJob, MoveAlias
from trainyard.core.tags import parse_version

hard = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@hard
@given(worlds)
def test_never_raises_and_writes_what_the_api_takes(world) -> None:
    server, observed, now = world
    plan = decide_server(server, observed, now)
    assert plan.requeue_after is None or plan.requeue_after >= 0
    if plan.status is not None:
        written = {k: v for k, v in plan.status.items() if k != "conditions"}
        ModelServerStatus.model_validate(written)
        assert len(plan.status.get("message", "")) <= 1024


@hard
@given(worlds)
def test_the_alias_moves_only_to_what_is_available_and_was_verified(world) -> None:
    server, observed, now = world
    plan = decide_server(server, observed, now)
    moved = [a for a in plan.actions if isinstance(a, MoveAlias)]
    assert len(moved) <= 1
    for action in moved:
        live = observed.deployment
        assert live is not None
        assert live.rolled_out
        assert live.release.version == action.version
        verified = any(
            (v.version, v.deployment_uid, v.generation) == (action.version, live.uid, live.generation)
            and v.succeeded
            for v in observed.verifications
        )
        assert verified or parse_version(server.status.get("servingVersion")) == action.version
        assert observed.registry is not None
        assert observed.registry.claim == "ns/adult"
        assert not observed.registry.busy


@hard
@given(worlds)
def test_one_target_at_a_time_and_written_before_it_is_applied(world) -> None:
    server, observed, now = world
    plan = decide_server(server, observed, now)
    status = plan.status if plan.status is not None else server.status
    applied = {a.release.version for a in plan.actions if isinstance(a, ApplyDeployment)}
    verified = {a.release.version for a in plan.actions if isinstance(a, CreateVerifyJob)}
    assert len(applied) <= 1
    assert not (applied and verified)
    assert applied | verified <= {parse_version(status.get("targetVersion"))}


@hard
@given(worlds)
def test_what_serves_changes_only_after_the_alias(world) -> None:
    server, observed, now = world
    plan = decide_server(server, observed, now)
    if plan.status is None:
        return
    before = ServerRecord.parse(server.status, now).serving
    serving = parse_version(plan.status.get("servingVersion"))
    if serving != before:
        assert observed.registry is not None
        assert observed.registry.champion == serving
        assert any(v.version == serving and v.succeeded for v in observed.verifications)


@hard
@given(worlds)
def test_what_failed_is_not_the_target_unless_it_serves(world) -> None:
    server, observed, now = world
    plan = decide_server(server, observed, now)
    if plan.status is not None and "failedTarget" in plan.status:
        failed = plan.status["failedTarget"]["version"]
        assert plan.status.get("targetVersion") != failed or plan.status.get("servingVersion") == failed


@hard
@given(worlds)
def test_same_world_same_decision_and_no_second_write(world) -> None:
    server, observed, now = world
    plan = decide_server(server, observed, now)
    assert decide_server(server, observed, now) == plan
    if plan.status is not None:
        record = ServerRecord.parse(plan.status, now)
        assert record.to_status() == dict(plan.status)
        assert dict(plan.status) != ServerRecord.parse(server.status, now).to_status()


@hard
@given(servers, deployments, registries, numbers, times, st.booleans())
def test_pods_are_counted_within_reason(server, deployment, registry, version, now, stale) -> None:
    from dataclasses import replace

    from trainyard.core.server_case import Knobs, ServerCase
    from trainyard.core.serving_observed import ServerObserved

    record = ServerRecord.parse(server.status, now)
    seen = ServerObserved(registry, deployment=deployment)
    case = ServerCase(server, replace(Knobs.read(server.spec), replicas=None), record, record, seen, now)
    answer, wanted = (int(word) for word in case.pods(version).split()[::2][:2])
    assert 0 <= answer <= deployment.updated
    assert wanted == deployment.replicas
