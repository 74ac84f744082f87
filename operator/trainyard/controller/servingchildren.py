"""The children of a ModelServer, read live, and the facts that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.controller.children import owned
from trainyard.controller.kube import DEPLOYMENTS, JOBS, PODS, SERVICES, Kube, NotFound, Resource
from trainyard.controller.servingpods import last_words, trouble
from trainyard.core import reading, reading_serving
from trainyard.core.resource import ModelServer
from trainyard.core.serving_observed import DeploymentFacts, VerifyFacts
from trainyard.render.compare import in_order
from trainyard.render.inputs import Installation
from trainyard.render.labels import VERIFY, serving_selector
from trainyard.render.names import deployment_name
from trainyard.render.serving import deployment, replicas, service

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Children:
    """The children of a ModelServer as they are."""

    deployment: Body | None = None
    service: Body | None = None
    jobs: tuple[Body, ...] = ()
    """Its verify Jobs."""
    pods: tuple[Body, ...] = ()
    """Its pods; read only while there is something to learn from them."""

    def foreign(self, uid: str) -> str:
        """A child whose name somebody else's object holds."""
        for kind, body in (("Deployment", self.deployment), ("Service", self.service)):
            if body is not None and not owned(body, uid):
                return f"{kind} {body['metadata']['name']}"
        return ""

    def service_in_order(self, server: ModelServer) -> bool | None:
        """Whether the Service is as it would be rendered; None when there is none."""
        return None if self.service is None else in_order(self.service, service(server))

    def deployment_facts(self, server: ModelServer, install: Installation) -> DeploymentFacts | None:
        """The Deployment, compared with what would be rendered now for the release that it names."""
        body = self.deployment
        if body is None or not owned(body, server.uid):
            return None
        release = reading_serving.pinned_release(body)
        wanted, number = deployment(server, release, install), replicas(server)
        same = release.version > 0 and number in (None, replicas_of(body)) and in_order(body, wanted)
        said = trouble(self.pods, release.version) or _refusal(body)
        return reading_serving.deployment(body, in_order=same, trouble=said)

    def verifications(self) -> tuple[VerifyFacts, ...]:
        """The verify Jobs with what their pods said."""
        words = last_words(self.pods)
        return tuple(
            reading_serving.verification(job, words.get(reading.text(job["metadata"].get("uid")), ""))
            for job in self.jobs
        )


async def read_children(kube: Kube, server: ModelServer) -> Children:
    """Read them; two GETs and a LIST once all is settled."""
    found = await _read(kube, DEPLOYMENTS, server, deployment_name(server.name))
    exposed = await _read(kube, SERVICES, server, server.name)
    verify = serving_selector(server.name, VERIFY)
    listed = [body async for body in kube.list(JOBS, server.namespace, labelSelector=verify)]
    jobs = tuple(body for body in listed if owned(body, server.uid))
    ended = any(reading.mappings(reading.mapping(job.get("status")).get("conditions")) for job in jobs)
    pods: list[Body] = []
    if ended or (found is not None and not reading_serving.deployment(found, in_order=True).rolled_out):
        every = serving_selector(server.name)
        pods = [body async for body in kube.list(PODS, server.namespace, labelSelector=every)]
    return Children(found, exposed, jobs, tuple(pods))


def replicas_of(body: Mapping[str, Any]) -> int:
    """spec.replicas of a Deployment."""
    return reading.whole(reading.mapping(body.get("spec")).get("replicas"), 1)


async def _read(kube: Kube, resource: Resource, server: ModelServer, name: str) -> Body | None:
    try:
        return await kube.get(resource, server.namespace, name)
    except NotFound:
        return None


def _refusal(body: Mapping[str, Any]) -> str:
    """Why the API server lets the Deployment have no pods: quota, admission."""
    for condition in reading.mappings(reading.mapping(body.get("status")).get("conditions")):
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return reading.text(condition.get("message"))
    return ""
