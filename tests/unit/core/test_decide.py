"""What holds for every decision, whatever the world looks like."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings

from tests.unit.core.strategies import (
    likely_promotions,
    likely_standings,
    observations,
    standings,
    times,
    training_jobs,
    wishes,
)
from trainyard.api.states import PromotionState
from trainyard.api.status import TrainingJobStatus
from trainyard.core.observed import Observed
from trainyard.core.plan import CreateConfigMap, CreateJob
from trainyard.core.record import Record
from trainyard.core.resource import TrainingJob
from trainyard.core.standing import Standing
from trainyard.core.trainingjob import decide

hard = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@hard
@given(training_jobs, observations, times)
def test_never_raises_and_writes_what_the_api_takes(job, observed, now) -> None:
    plan = decide(job, observed, now)
    assert plan.requeue_after is None or plan.requeue_after >= 0
    if plan.status is not None:
        written = {k: plan.status[k] for k in ("state", "attempt", "restarts", "retry") if k in plan.status}
        TrainingJobStatus.model_validate(written)
        assert len(plan.status.get("message", "")) <= 1024
        assert not {"progress", "trials"} & set(plan.status)
    if plan.needs:
        assert plan.status is None
        assert not plan.actions


@hard
@given(training_jobs, observations, times)
def test_terminal_latches(job, observed, now) -> None:
    if not Record.parse(job.status, now).terminal:
        return
    plan = decide(job, observed, now)
    assert not any(isinstance(a, CreateJob | CreateConfigMap) for a in plan.actions)
    assert plan.status is None or Record.parse(plan.status, now).terminal


@hard
@given(training_jobs, observations, times)
def test_never_two_live_attempts(job: TrainingJob, observed: Observed, now) -> None:
    observed = replace(observed, pods_fresh=True)
    plan = decide(job, observed, now)
    if not any(isinstance(a, CreateJob) for a in plan.actions):
        return
    first = Record.parse(job.status, now).attempt == 0
    lost = [p for p in observed.pods if p.deletion is not None]
    alive = [p for p in observed.pods if not p.over and p not in lost]
    assert first or not alive
    child = observed.attempt_job
    assert (
        child is None or child.finished or child.deleting or first or job.status.get("state") == "Suspended"
    )


@hard
@given(training_jobs, observations, times)
def test_a_child_is_created_only_for_an_attempt_that_is_written_down(job, observed, now) -> None:
    plan = decide(job, observed, now)
    status = plan.status if plan.status is not None else job.status
    for action in plan.actions:
        if isinstance(action, CreateJob | CreateConfigMap):
            assert action.attempt == status.get("attempt")


@hard
@given(training_jobs, observations, times)
def test_same_world_same_decision_and_no_second_write(job, observed, now) -> None:
    plan = decide(job, observed, now)
    assert decide(job, observed, now) == plan
    record = Record.parse(job.status, now)
    if plan.status is not None:
        assert dict(plan.status) != record.to_status()
        assert Record.parse(plan.status, now).to_status() == dict(plan.status)


@hard
@given(training_jobs, observations, wishes, likely_standings | standings, likely_promotions, times)
def test_a_result_serves_only_when_the_server_says_so_and_a_verdict_is_final(
    job, observed, wish, standing, facts, now
) -> None:
    observed = replace(observed, promotion=facts)
    succeeded = {"type": "Succeeded", "status": "True"}
    result = {"metrics": {"auc": 0.9}, "mlflow": {"modelURI": "models:/m", "modelSHA256": "a" * 64}}
    done = {"state": "Succeeded", "conditions": [succeeded], "promotion": standing, **result}
    job = replace(
        job, status={**job.status, **done}, spec={**job.spec, "promotion": {**wish, "model": "adult"}}
    )
    before = Standing.parse(Record.parse(job.status, now).promotion)
    plan = decide(job, observed, now)
    if plan.status is None:
        return
    after = Standing.parse(plan.status.get("promotion", {}))
    if before.state in {PromotionState.REJECTED, PromotionState.PROMOTED, PromotionState.ROLLED_BACK}:
        assert after == before
    elif after.state is PromotionState.PROMOTED:
        assert observed.promotion.server is not None
        assert after.version in observed.promotion.server.served
    if after != before:
        assert Record.parse(job.status, now).terminal
        TrainingJobStatus.model_validate({"promotion": plan.status["promotion"]})
