"""What every reconciler does alike: create a child that must be its own, and write the whole of a status."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from trainyard.api.names import API_VERSION, MODELSERVER, TRAININGJOB, Kind
from trainyard.controller.kube import (
    SERVICE_ACCOUNTS,
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    Kube,
    NotFound,
    Resource,
)
from trainyard.core import reading
from trainyard.core.resource import ModelServer, TrainingJob

Subject = TrainingJob | ModelServer


@dataclass(frozen=True, slots=True)
class Setback:
    """What creating a child ran into; told to the next decision, once."""

    foreign: str = ""
    refused: str = ""
    for_good: bool = False


def kind_of(subject: Subject) -> Kind:
    """Kind of the object that is reconciled."""
    return TRAININGJOB if isinstance(subject, TrainingJob) else MODELSERVER


def status_body(subject: Subject, status: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a status write that fails when somebody wrote since the object was read."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind_of(subject).kind,
        "metadata": {
            "name": subject.name,
            "namespace": subject.namespace,
            "resourceVersion": subject.resource_version,
        },
        "status": status,
    }


def owned(body: Mapping[str, Any], uid: str) -> bool:
    """Whether an object's ownerReferences name the owner of that uid."""
    owners = reading.mappings(reading.mapping(body.get("metadata")).get("ownerReferences"))
    return any(owner.get("uid") == uid for owner in owners)


async def usable_account(kube: Kube, namespace: str, name: str) -> bool:
    """Whether a ServiceAccount is there and its owner allows our pods to use it."""
    try:
        return reading.usable(await kube.get(SERVICE_ACCOUNTS, namespace, name))
    except NotFound:
        return False


async def create_child(
    kube: Kube, subject: Subject, resource: Resource, body: dict[str, Any]
) -> Setback | None:
    """Create a child; one that is there already is taken only when it is ours."""
    try:
        await kube.create(resource, subject.namespace, body)
    except AlreadyExists:
        return await _taken(kube, subject, resource, body)
    except Invalid as error:
        return Setback(refused=str(error), for_good=True)
    except Forbidden as error:
        return Setback(refused=str(error))
    return None


async def delete_child(kube: Kube, subject: Subject, resource: Resource, name: str) -> None:
    """Delete a child by its name, if it is ours and still there.

    Raises:
        Conflict: It could not be deleted as it was seen; look again.
    """
    with suppress(NotFound):
        found = await kube.get(resource, subject.namespace, name)
        uid = found["metadata"]["uid"]
        if owned(found, subject.uid) and not await kube.delete(resource, subject.namespace, name, uid):
            raise Conflict(f"{resource.plural} {name} was changed while it was deleted", code=409)


async def _taken(kube: Kube, subject: Subject, resource: Resource, body: dict[str, Any]) -> Setback | None:
    name = body["metadata"]["name"]
    try:
        found = await kube.get(resource, subject.namespace, name)
    except NotFound:
        return Setback()
    return None if owned(found, subject.uid) else Setback(foreign=f"{body['kind']} {name}")
