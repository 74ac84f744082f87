"""Arbitrary worlds for `decide_server`: plausible ones mostly, with garbage in between."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.unit.core.strategies import (
    EPOCH,
    conditions,
    numbers,
    registries,
    sometimes,
    stamps,
    times,
    words,
)
from trainyard.api.states import Reason, ServerState
from trainyard.core.resource import ModelServer
from trainyard.core.serving_observed import (
    DeploymentFacts,
    OfferFacts,
    RegistryFacts,
    Release,
    ServerObserved,
    VerifyFacts,
    VersionFacts,
)

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
offers = st.builds(OfferFacts, version=numbers, promoted_by=st.just("TrainingJob/a"), message=words)
wild = st.builds(
    ServerObserved,
    registry=st.none() | registries,
    offers=st.lists(offers, max_size=2).map(tuple),
    deployment=st.none() | deployments,
    service_in_order=st.sampled_from([None, True, False]),
    verifications=st.lists(verifications, max_size=2).map(tuple),
    foreign=st.sampled_from(["", "", "", "Service x"]),
    refused=st.sampled_from(["", "", "", "no"]),
)

wild_worlds = st.tuples(servers, wild, times)


def _rarely(odd: Any, usual: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([usual] * 7 + [odd])


@st.composite
def likely_worlds(draw: st.DrawFn) -> tuple[ModelServer, ServerObserved, datetime]:
    """Versions 1 to 3 about to serve, with little that is out of step; the interesting ones are frequent."""
    serving = draw(st.none() | numbers)
    target = draw(numbers)
    began = draw(st.sampled_from([1, 1, 1, 30, 700]))
    status: dict[str, Any] = {"targetVersion": str(target), "history": []}
    if serving is not None:
        since = "2026-11-21T10:00:00Z"
        entry = {"version": str(serving), "since": since, "sha256": "a" * 64, "artifactURI": "u"}
        status |= {"servingVersion": str(serving), "history": [entry]}
    if target != serving:
        since = (EPOCH - timedelta(seconds=began)).isoformat().replace("+00:00", "Z")
        status |= {"targetSince": since, "state": "RollingOut"}
    if draw(_rarely(True, False)):
        status["failedTarget"] = {"version": draw(texts), "reason": "VerifyFailed"}
    wish = draw(st.sampled_from([target, target, target, target, 1, 2, 3]))
    pinned = draw(st.booleans())
    spec = {"model": "adult", "source": {"version": str(wish)} if pinned else {"promotions": {}}}
    runs = draw(st.sampled_from([target, target, target, serving or 1]))
    available = draw(st.sampled_from([1, 1, 0]))
    deployment = DeploymentFacts(
        "d", 2, Release(runs, "u", "a" * 64), draw(_rarely(False, True)), 2, 1, 1, 1, available, available
    )
    checks = st.builds(
        VerifyFacts,
        name=st.just("v"),
        uid=st.just("v"),
        version=st.sampled_from([target, target, target, 1]),
        deployment_uid=_rarely("e", "d"),
        generation=_rarely(1, 2),
        succeeded=_rarely(False, True),
        failed=_rarely(True, False),
    )
    known = tuple(VersionFacts(n, f"uid-{n}", "u", "a" * 64) for n in (1, 2, 3))
    champion = draw(st.sampled_from([serving, serving, target, 3]))
    registry = RegistryFacts(
        draw(_rarely("ns/other", "ns/adult")),
        known,
        {"champion": champion} if champion is not None else {},
        draw(_rarely("down", "")),
        draw(_rarely(True, False)),
    )
    observed = ServerObserved(
        registry=draw(_rarely(None, registry)),
        offers=() if pinned else (OfferFacts(wish, "TrainingJob/a"),),
        deployment=draw(_rarely(None, deployment)),
        service_in_order=draw(_rarely(None, True)),
        verifications=tuple(draw(st.lists(checks, min_size=draw(st.sampled_from([1, 1, 0])), max_size=2))),
    )
    return ModelServer("ns", "adult", "ms", 1, spec, status), observed, EPOCH


worlds = st.one_of(likely_worlds(), likely_worlds(), wild_worlds)
