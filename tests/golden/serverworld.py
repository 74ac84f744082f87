"""The small world of a ModelServer: facts in, a ServerPlan out, and the plan applied to the facts.

As in `world`, applying does what the controller does and nothing that Kubernetes or MLflow would do
meanwhile; `cluster` and `mlflow` are those two, for stories that go on to their end.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tests.golden.world import Body, merged, moment
from trainyard.core.modelserver import decide_server
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
from trainyard.core.serving_plan import (
    ApplyDeployment,
    ApplyService,
    CreateVerifyJob,
    DeleteVerifyJob,
    MoveAlias,
    ServerAction,
    ServerPlan,
)

DEFAULT: Body = {
    "apiVersion": "trainyard.dev/v1alpha1",
    "kind": "ModelServer",
    "metadata": {"name": "adult", "namespace": "team-a", "uid": "ms-uid", "generation": 1},
    "spec": {"model": "adult", "source": {"promotions": {}}, "auth": {"tokenSecret": "adult-tokens"}},
}


def release(version: int) -> Release:
    return Release(version, f"mlflow-artifacts:/1/models/m-{version}/package", f"{version:064x}")


def registry_facts(given: Mapping[str, Any] | None) -> RegistryFacts | None:
    """The registry; `versions` are numbers, null is a registry that did not answer yet."""
    if given is None:
        return None
    versions = tuple(version_facts(n) for n in given.get("versions", (1, 2, 3)))
    return RegistryFacts(**{"claim": "team-a/adult", **given, "versions": versions})


def version_facts(number: int) -> VersionFacts:
    known = release(number)
    return VersionFacts(number, f"uid-{number}", known.uri, known.sha256, "h", {"test_roc_auc": 0.9})


@dataclass
class ServerWorld:
    """What a decision about a ModelServer can know of."""

    cr: Body
    now: datetime
    seen: ServerObserved
    aliases: dict[str, int] = field(default_factory=dict)
    """What MLflow says once it is asked again."""

    @classmethod
    def load(cls, case: Mapping[str, Any]) -> ServerWorld:
        """Read a case; versions 1 to 3 are registered and claimed unless it says otherwise."""
        cr = merged(DEFAULT, case.get("server", {}))
        cr["spec"]["source"] = case.get("source", cr["spec"]["source"])
        given = case.get("seen", {})
        deployment = given.get("deployment")
        seen = ServerObserved(
            registry=registry_facts(given.get("registry", {})),
            offers=tuple(OfferFacts(**o) for o in given.get("offers", ())),
            deployment=None if deployment is None else _deployment(**deployment),
            service_in_order=given.get("service"),
            verifications=tuple(_verification(**v) for v in given.get("verifications", ())),
            foreign=given.get("foreign", ""),
            refused=given.get("refused", ""),
        )
        return cls(cr, moment(case["now"]), seen)

    def look(self) -> ServerPlan:
        """Decide."""
        return decide_server(ModelServer.read(self.cr), self.seen, self.now)

    def apply(self, plan: ServerPlan) -> None:
        """Do what a plan says, and nothing else."""
        if plan.status is not None:
            self.cr["status"] = deepcopy(dict(plan.status))
        for action in plan.actions:
            self._act(action)

    def _act(self, action: ServerAction) -> None:
        seen = self.seen
        match action:
            case ApplyDeployment(release=pinned):
                self.seen = replace(seen, deployment=self._applied(pinned))
            case ApplyService():
                self.seen = replace(seen, service_in_order=True)
            case CreateVerifyJob(release=pinned, deployment_uid=uid, generation=generation):
                job = _verification(pinned.version, generation, deployment_uid=uid)
                assert job.name not in {v.name for v in seen.verifications}, "created twice"
                self.seen = replace(seen, verifications=(*seen.verifications, job))
            case DeleteVerifyJob(name=name):
                left = tuple(v for v in seen.verifications if v.name != name)
                self.seen = replace(seen, verifications=left)
            case MoveAlias(version=version):
                assert seen.registry is not None
                self.aliases["champion"] = version
                self.seen = replace(seen, registry=replace(seen.registry, busy=True))

    def _applied(self, pinned: Release) -> DeploymentFacts:
        wanted = self.cr["spec"].get("replicas", 1)
        live = self.seen.deployment
        if live is None:
            return DeploymentFacts("d", 1, pinned, True, replicas=wanted)
        same = live.release == pinned
        return replace(
            live,
            generation=live.generation + 1,
            release=pinned,
            in_order=True,
            replicas=wanted,
            updated=live.updated if same else 0,
        )

    def cluster(self, *, verify: bool = True, available: bool = True) -> None:
        """What Kubernetes does until it has nothing left to do."""
        live = self.seen.deployment
        if live is not None and available:
            n = live.replicas
            done = replace(
                live, observed_generation=live.generation, total=n, updated=n, ready=n, available=n
            )
            self.seen = replace(self.seen, deployment=done)
        jobs = tuple(
            v if v.over else replace(v, succeeded=verify, failed=not verify) for v in self.seen.verifications
        )
        self.seen = replace(self.seen, verifications=jobs)

    def mlflow(self) -> None:
        """What MLflow does: the posted change is done and its facts are new."""
        if self.seen.registry is not None and self.seen.registry.busy:
            aliases = {**self.seen.registry.aliases, **self.aliases}
            self.seen = replace(self.seen, registry=replace(self.seen.registry, busy=False, aliases=aliases))

    def settle(self, *, verify: bool = True, available: bool = True) -> list[ServerPlan]:
        """Go on until nothing is left to do; every plan on the way, for looking at."""
        plans = []
        for _ in range(40):
            plan = self.look()
            self.apply(plan)
            before = self.seen
            self.cluster(verify=verify, available=available)
            self.mlflow()
            if plan.empty and self.seen == before:
                return plans
            plans.append(plan)
            self.now += timedelta(seconds=1)
        raise AssertionError("no rest after 40 passes")

    @property
    def status(self) -> Body:
        """What the object says."""
        found: Body = self.cr.get("status", {})
        return found


def _deployment(version: int, **over: Any) -> DeploymentFacts:
    """A Deployment that has come to rest, unless told otherwise."""
    n = over.get("replicas", 1)
    rest: Body = {"generation": 1, "observed_generation": 1, "replicas": n, "in_order": True}
    counts = {"total": n, "updated": n, "ready": n, "available": n}
    return DeploymentFacts(**{"uid": "d", "release": release(version), **rest, **counts, **over})


def _verification(version: int, generation: int = 1, **over: Any) -> VerifyFacts:
    name = f"adult-ms-v{version}-{generation}"
    given: Body = {"name": name, "uid": name, "version": version, "generation": generation}
    return VerifyFacts(**{"deployment_uid": "d", **given, **over})
