"""Arbitrary worlds for `decide_server`: plausible ones mostly, with garbage in between."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.unit.core.strategies import conditions, sometimes, stamps, words
from trainyard.api.states import Reason, ServerState
from trainyard.core.serving_observed import (
    DeploymentFacts,
    ModelServer,
    OfferFacts,
    RegistryFacts,
    Release,
    ServerObserved,
    VerifyFacts,
    VersionFacts,
)

numbers = st.integers(1, 3)
texts = st.sampled_from(["1", "2", "3", "9"])
releases = st.builds(lambda n, u: Release(n, u, "a" * 64), st.integers(0, 3), st.sampled_from(["u", "u", ""]))
sources = st.one_of(
    st.builds(lambda v: {"version": v}, texts),
    st.just({"promotions": {}}),
    st.builds(lambda a: {"follow": {"alias": a}}, st.sampled_from(["deploy", "none"])),
)
rollouts = st.fixed_dictionaries(
    {}, optional={"deadlineSeconds": sometimes(st.integers(1, 9999)), "verifySeconds": st.integers(-1, 99)}
)
specs = st.fixed_dictionaries(
    {"model": sometimes(st.just("adult")), "source": sometimes(sources)},
    optional={
        "replicas": sometimes(st.integers(0, 3)),
        "rollout": sometimes(rollouts),
        "external": sometimes(st.just({})),
    },
)
history = st.fixed_dictionaries(
    {"version": sometimes(texts), "since": sometimes(stamps)},
    optional={"until": sometimes(stamps), "sha256": st.just("a" * 64), "artifactURI": st.just("u")},
)
failed = st.fixed_dictionaries(
    {"version": sometimes(texts)},
    optional={"reason": sometimes(st.sampled_from(["VerifyFailed", "Odd"])), "message": st.text(max_size=5)},
)
statuses = st.fixed_dictionaries(
    {},
    optional={
        "state": sometimes(st.sampled_from([s.value for s in ServerState])),
        "reason": sometimes(st.sampled_from([r.value for r in Reason])),
        "message": sometimes(st.text(max_size=9)),
        "servingVersion": sometimes(texts),
        "targetVersion": sometimes(texts),
        "targetSince": sometimes(stamps),
        "failedTarget": sometimes(failed),
        "history": sometimes(st.lists(history, max_size=22)),
        "conditions": sometimes(st.lists(conditions, max_size=3)),
    },
)
servers = st.builds(
    ModelServer,
    namespace=st.just("ns"),
    name=st.just("adult"),
    uid=st.sampled_from(["ms", "ms", "ms", ""]),
    generation=st.integers(0, 3),
    spec=specs,
    status=statuses,
    deleting=st.sampled_from([False, False, False, True]),
)
counts = st.sampled_from([0, 1, 1, 1, 2])
deployments = st.builds(
    DeploymentFacts,
    uid=st.sampled_from(["d", "d", "e"]),
    generation=st.integers(1, 2),
    release=releases,
    in_order=st.sampled_from([True, True, False]),
    observed_generation=st.integers(1, 2),
    replicas=counts,
    total=counts,
    updated=counts,
    ready=counts,
    available=counts,
    trouble=words,
)
verifications = st.builds(
    VerifyFacts,
    name=st.sampled_from(["v1", "v2"]),
    uid=st.just("v"),
    version=numbers,
    deployment_uid=st.sampled_from(["d", "d", "e"]),
    generation=st.integers(1, 2),
    succeeded=st.booleans(),
    failed=st.sampled_from([False, False, True]),
    message=words,
    deleting=st.sampled_from([False, False, True]),
)
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
offers = st.builds(OfferFacts, version=numbers, promoted_by=st.just("TrainingJob/a"), message=words)
server_observations = st.builds(
    ServerObserved,
    registry=st.none() | registries,
    offers=st.lists(offers, max_size=2).map(tuple),
    deployment=st.none() | deployments,
    service_in_order=st.sampled_from([None, True, False]),
    verifications=st.lists(verifications, max_size=2).map(tuple),
    foreign=st.sampled_from(["", "", "", "Service x"]),
    refused=st.sampled_from(["", "", "", "no"]),
)
