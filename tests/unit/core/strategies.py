"""Arbitrary worlds for `decide`: plausible ones mostly, with garbage in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from trainyard.api.states import PromotionState, State
from trainyard.core.observed import AttemptJob, Event, Observed, Pod
from trainyard.core.resource import TrainingJob
from trainyard.core.serving_observed import PromotionFacts, RegistryFacts, ServerFacts, VersionFacts

EPOCH = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
times = st.integers(-7200, 7200).map(lambda s: EPOCH + timedelta(seconds=s))
maybe_times = st.none() | times
stamps = times.map(lambda t: t.isoformat().replace("+00:00", "Z"))
garbage = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
)
words = st.sampled_from(
    ["", "OOMKilled", "Evicted", "ImagePullBackOff", "CreateContainerConfigError", "Completed"]
)
uids = st.sampled_from(["", "job-1", "job-2", "foreign"])


def sometimes(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """The strategy, now and then garbage instead."""
    return st.one_of(strategy, strategy, strategy, garbage)


numbers = st.integers(1, 3)
versions = st.builds(
    VersionFacts,
    number=numbers,
    uid=st.sampled_from(["", "cr", "other"]),
    uri=st.sampled_from(["u", "u", ""]),
    sha256=st.just("a" * 64),
    holdout_digest=st.sampled_from(["h", "h", ""]),
    metrics=st.dictionaries(st.sampled_from(["auc", "rmse"]), st.floats(), max_size=2),
)
registries = st.builds(
    RegistryFacts,
    claim=st.sampled_from(["ns/adult", "ns/adult", "ns/adult", "ns/other", "", None]),
    versions=st.lists(versions, max_size=3).map(tuple),
    aliases=st.dictionaries(st.sampled_from(["champion", "deploy"]), numbers, max_size=2),
    error=st.sampled_from(["", "", "", "down"]),
    busy=st.sampled_from([False, False, True]),
)
server_facts = st.builds(
    ServerFacts,
    source=st.sampled_from(["version", "promotions", "promotions", "follow", ""]),
    model=st.sampled_from(["adult", "adult", "other"]),
    pinned=st.none() | numbers,
    serving=st.none() | numbers,
    serving_since=maybe_times,
    served=st.lists(numbers, max_size=2).map(tuple),
    target=st.none() | numbers,
    verifying=st.booleans(),
    failed=st.none() | numbers,
    failed_reason=words,
)
promotions = st.builds(PromotionFacts, registry=st.none() | registries, server=st.none() | server_facts)
gates = st.fixed_dictionaries(
    {"metric": sometimes(st.just("auc")), "goal": sometimes(st.sampled_from(["Maximize", "Minimize"]))},
    optional={"threshold": sometimes(st.floats()), "minImprovement": sometimes(st.floats(0, 1))},
)
wishes = st.fixed_dictionaries(
    {"model": sometimes(st.just("adult"))},
    optional={
        "mode": sometimes(st.sampled_from(["Never", "Manual", "Automatic", "Automatic"])),
        "gate": sometimes(gates),
        "cooldownSeconds": sometimes(st.integers(0, 9999)),
        "serving": sometimes(st.just({"auth": {"anonymous": {}}})),
    },
)
standings = st.fixed_dictionaries(
    {},
    optional={
        "state": sometimes(st.sampled_from([s.value for s in PromotionState])),
        "version": sometimes(st.sampled_from(["1", "2"])),
        "reason": words,
        "time": sometimes(stamps),
        "candidateValue": sometimes(st.floats()),
    },
)
likely_standings = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["RollingOut", "RollingOut", "Verifying", "AwaitingApproval", "Evaluating"]),
        "version": st.sampled_from(["1", "2"]),
        "time": stamps,
        "candidateValue": st.floats(0, 1),
    },
)
likely_promotions = st.builds(
    PromotionFacts,
    registry=st.builds(
        RegistryFacts,
        claim=st.sampled_from(["ns/adult", None]),
        versions=st.lists(versions, max_size=3).map(tuple),
        aliases=st.dictionaries(st.just("champion"), numbers),
        busy=st.booleans(),
    ),
    server=st.none() | server_facts.map(lambda s: replace(s, model="adult")),
)
"""What a promotion that goes as it should looks at."""
conditions = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Running", "Succeeded", "Failed", "Suspended", "Odd"]),
        "status": st.sampled_from(["True", "False"]),
    },
    optional={"reason": words, "message": st.text(max_size=9), "lastTransitionTime": sometimes(stamps)},
)
retry = st.fixed_dictionaries(
    {},
    optional={
        "notBefore": sometimes(stamps),
        "memory": sometimes(st.sampled_from(["2Gi", "512Mi"])),
        "unknown": sometimes(st.integers(0, 5)),
        "outOfMemory": sometimes(st.integers(0, 2)),
        "dependencySince": sometimes(stamps),
        "dependencyTries": sometimes(st.integers(0, 100)),
        "runSeconds": sometimes(st.integers(0, 9999)),
        "jobUID": sometimes(uids),
        "excludedNodes": sometimes(st.lists(st.text(max_size=3), max_size=2)),
    },
)
statuses = st.fixed_dictionaries(
    {},
    optional={
        "state": sometimes(st.sampled_from([s.value for s in State])),
        "reason": sometimes(words),
        "message": sometimes(st.text(max_size=9)),
        "attempt": sometimes(st.integers(0, 3)),
        "restarts": sometimes(st.integers(0, 3)),
        "conditions": sometimes(st.lists(conditions, max_size=3)),
        "retry": sometimes(retry),
        "lastFailure": sometimes(
            st.fixed_dictionaries(
                {
                    "attempt": st.integers(0, 3),
                    "cause": st.sampled_from(["Killed", "DependencyDown", "OOMKilled"]),
                }
            )
        ),
        "progress": sometimes(st.fixed_dictionaries({"attempt": st.integers(0, 3)})),
        "promotion": sometimes(standings),
        "metrics": sometimes(st.dictionaries(st.just("auc"), st.floats())),
        "mlflow": sometimes(st.just({"modelURI": "models:/m-1", "modelSHA256": "a" * 64})),
        "data": sometimes(st.just({"holdoutDigest": "h"})),
        "startTime": sometimes(stamps),
        "completionTime": sometimes(stamps),
    },
)
policies = st.fixed_dictionaries(
    {},
    optional={
        "suspend": sometimes(st.booleans()),
        "backoffLimit": sometimes(st.integers(0, 3)),
        "activeDeadlineSeconds": sometimes(st.integers(1, 9999)),
        "ttlSecondsAfterFinished": sometimes(st.integers(0, 9999)),
        "queueName": sometimes(st.just("queue")),
        "onOOM": sometimes(st.fixed_dictionaries({"memoryFactor": sometimes(st.floats(1.1, 9))})),
    },
)
specs = st.fixed_dictionaries(
    {
        "model": sometimes(st.just({"tabnet": {}})),
        "data": sometimes(st.just({"source": {"uri": "sample://iris"}})),
    },
    optional={
        "runPolicy": sometimes(policies),
        "promotion": sometimes(wishes),
        "compute": sometimes(st.fixed_dictionaries({"nodes": sometimes(st.sampled_from([1, 2, 3, 64]))})),
    },
)
training_jobs = st.builds(
    TrainingJob,
    namespace=st.just("ns"),
    name=st.just("adult"),
    uid=st.sampled_from(["cr", "cr", "cr", ""]),
    generation=st.integers(0, 3),
    spec=specs,
    status=statuses,
    created=maybe_times,
    deleting=st.sampled_from([False, False, False, True]),
)
attempt_jobs = st.builds(
    AttemptJob,
    name=st.just("adult-tj-a1"),
    uid=uids,
    attempt=st.integers(0, 3),
    owners=st.sampled_from([("cr",), ("cr",), ("other",), ()]),
    in_order=st.booleans(),
    complete=st.booleans(),
    failed=st.booleans(),
    reason=st.sampled_from(["", "PodFailurePolicy", "DeadlineExceeded", "BackoffLimitExceeded"]),
    message=st.sampled_from(
        ["", "failed with exit code 65 matching", "Pod ns/p-1 has condition DisruptionTarget matching", "x"]
    ),
    deleting=st.booleans(),
    suspended=st.booleans(),
    created=maybe_times,
    start=maybe_times,
    end=maybe_times,
)
pods = st.builds(
    Pod,
    name=st.sampled_from(["p1", "p2"]),
    uid=st.just("pod"),
    job_uid=uids,
    attempt=st.integers(0, 3),
    index=st.integers(0, 2),
    node=st.sampled_from(["", "node-1"]),
    phase=st.sampled_from(["", "Pending", "Running", "Succeeded", "Failed", "Unknown"]),
    reason=words,
    created=maybe_times,
    started=maybe_times,
    running=st.booleans(),
    waiting=words,
    waiting_message=st.text(max_size=5),
    unschedulable=st.sampled_from(["", "no"]),
    exit_code=st.none() | st.sampled_from([0, 1, 64, 65, 69, 75, 77, 137, 143, 255, 4000]),
    exit_reason=words,
    ended=maybe_times,
    last_word=st.sampled_from(
        ["", "{", "[]", '{"formatVersion":1,"metrics":{"a":1e999}}', '{"formatVersion":1}']
    ),
    disrupted=st.sampled_from(["", "EvictionByEvictionAPI"]),
    deletion=maybe_times,
)
events = st.builds(
    Event,
    kind=st.sampled_from(["Job", "Pod"]),
    reason=st.sampled_from(["FailedCreate", "FailedMount", "Odd"]),
    message=st.sampled_from(["exceeded quota: x", 'secret "a" not found', "odd"]),
)
observations = st.builds(
    Observed,
    attempt_job=st.none() | attempt_jobs,
    previous=st.none() | st.lists(attempt_jobs, max_size=1).map(tuple),
    pods=st.lists(pods, max_size=3).map(tuple),
    pods_fresh=st.booleans(),
    events=st.none() | st.lists(events, max_size=2).map(tuple),
    foreign=st.sampled_from(["", "", "ConfigMap x"]),
    refused=st.sampled_from(["", "", "no"]),
    refused_for_good=st.booleans(),
    account=st.sampled_from([None, True, False]),
    kueue=st.sampled_from([None, True, False]),
    coordinator_ready=st.booleans(),
    promotion=st.none() | promotions | promotions,
)
