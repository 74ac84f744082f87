"""The only door to the API server: dicts in, dicts out, typed errors, timeouts, every call counted.

How overload is met is decided here once: a 429 or 503 with Retry-After closes the door for everybody until
then, and the caller's work is queued again. Nothing is retried in place, since the queue knows better when.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client, config

from trainyard.api.names import GROUP, MANAGER_OPERATOR, MODELSERVER, TRAININGJOB, VERSION
from trainyard.controller.metrics import Metrics
from trainyard.core.lease import LEASE_SECONDS, WRITE_SECONDS

TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
PAGE = 500
APPLY = "application/apply-patch+yaml"
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the API."""

    group: str
    version: str
    plural: str

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """URL path of a collection or an object."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{scope}/{self.plural}{tail}"


TRAINING_JOBS = Resource(GROUP, VERSION, TRAININGJOB.plural)
MODEL_SERVERS = Resource(GROUP, VERSION, MODELSERVER.plural)
DEPLOYMENTS = Resource("apps", "v1", "deployments")
SERVICES = Resource("", "v1", "services")
NETWORK_POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies")
JOBS = Resource("batch", "v1", "jobs")
PODS = Resource("", "v1", "pods")
CONFIG_MAPS = Resource("", "v1", "configmaps")
EVENTS = Resource("", "v1", "events")
NAMESPACES = Resource("", "v1", "namespaces")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")
LEASES = Resource("coordination.k8s.io", "v1", "leases")


class KubeError(Exception):
    """The API server did not do what was asked."""

    def __init__(self, message: str, *, code: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


class NotFound(KubeError):  # noqa: N818 - family names read as what happened
    """There is no such object."""


class AlreadyExists(KubeError):  # noqa: N818
    """The name is taken."""


class Conflict(KubeError):  # noqa: N818
    """A precondition (uid, resourceVersion) does not hold."""


class Invalid(KubeError):  # noqa: N818
    """The object is wrong; sending it again cannot help."""


class Forbidden(KubeError):  # noqa: N818
    """No right, no quota, or an admission policy says no."""


class Unavailable(KubeError):  # noqa: N818
    """Overload, outage or a lost answer: what was asked may or may not have been done."""


class NotLeading(Unavailable):
    """Another operator may be writing now, so nothing was sent."""


_BY_CODE: dict[int, type[KubeError]] = {
    401: Unavailable,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Unavailable,
    422: Invalid,
    429: Unavailable,
}


class Kube:
    """A client of one API server.

    Args:
        api: Logged in.
        metrics: Told of every request.
        write_seconds: For how long a write may still be begun, asked before each one.
    """

    def __init__(
        self, api: client.ApiClient, metrics: Metrics, write_seconds: Callable[[], float] = lambda: math.inf
    ) -> None:
        self._api = api
        self._metrics = metrics
        self._write_seconds = write_seconds
        self._closed_until = 0.0

    @classmethod
    async def connect(cls, metrics: Metrics, write_seconds: Callable[[], float] = lambda: math.inf) -> Self:
        """Log in: KUBECONFIG when it is set, else the pod's ServiceAccount, else the user's kubeconfig."""
        settings = client.Configuration()
        if "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG"):
            config.load_incluster_config(client_configuration=settings)
        else:
            path = os.environ.get("KUBECONFIG")  # the library reads it once, when it is imported
            await config.load_kube_config(config_file=path, client_configuration=settings)
        # Looking for proxies and netrc files costs two thread hops a request; proxy-url still counts.
        settings.client_session_kwargs = {"trust_env": False}
        return cls(client.ApiClient(settings), metrics, write_seconds)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        """Read one object."""
        return await self._call("get", "GET", resource, resource.path(namespace, name))

    async def list(self, resource: Resource, namespace: str = "", **selectors: str) -> AsyncIterator[Body]:
        """Read all objects, page by page; `labelSelector` and `fieldSelector` narrow them."""
        query: dict[str, str] = {**selectors, "limit": str(PAGE)}
        while True:
            page = await self._call("list", "GET", resource, resource.path(namespace), query=query)
            for item in page.get("items") or ():
                yield item
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token

    async def serves(self, group: str) -> bool:
        """Whether the API server knows a group of resources: discovery, which everybody may ask."""
        try:
            await self._call("get", "GET", Resource(group, "", "apigroups"), f"/apis/{group}")
        except NotFound:
            return False
        return True

    async def create(self, resource: Resource, namespace: str, body: Body) -> Body:
        """Create an object."""
        return await self._call("create", "POST", resource, resource.path(namespace), body=body)

    async def apply_status(self, resource: Resource, namespace: str, body: Body) -> Body:
        """Apply the operator's whole part of a status; `metadata.resourceVersion` is the precondition.

        A uid would not do: the API server ignores it here, and the write could reach a namesake.
        """
        path = resource.path(namespace, body["metadata"]["name"], "status")
        query = {"fieldManager": MANAGER_OPERATOR, "force": "true"}
        return await self._call("apply", "PATCH", resource, path, query, body, APPLY)

    async def apply(
        self, resource: Resource, body: Body, *, manager: str = MANAGER_OPERATOR, uid: str = ""
    ) -> Body:
        """Apply a child; with a uid only to the object that was seen, without one only where none is.

        Without force an object that somebody made in between is a Conflict, since it is not as we want it.
        """
        meta = {**body["metadata"], "uid": uid} if uid else body["metadata"]
        path = resource.path(meta["namespace"], meta["name"])
        query = {"fieldManager": manager, "force": "true" if uid else "false"}
        return await self._call("apply", "PATCH", resource, path, query, {**body, "metadata": meta}, APPLY)

    async def replace(self, resource: Resource, body: Body) -> Body:
        """Write a whole object; its resourceVersion is the precondition."""
        path = resource.path(body["metadata"]["namespace"], body["metadata"]["name"])
        return await self._call("update", "PUT", resource, path, body=body)

    async def patch(self, resource: Resource, namespace: str, name: str, body: Body) -> Body:
        """Merge-patch an object; `metadata.uid` in the body is the precondition."""
        path, query = resource.path(namespace, name), {"fieldManager": MANAGER_OPERATOR}
        return await self._call("patch", "PATCH", resource, path, query, body, "application/merge-patch+json")

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> bool:
        """Delete an object and, in the background, what it owns; False when it is another by now, or held."""
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._call("delete", "DELETE", resource, resource.path(namespace, name), body=body)
        except NotFound:
            return True
        except Conflict:
            return False
        return True

    async def _call(
        self,
        verb: str,
        method: str,
        resource: Resource,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = "application/json",
    ) -> Body:
        await self._wait_for_door()
        timeout = TIMEOUT if method == "GET" else self._write_timeout(f"{verb} {path}")
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            method, url, headers, _, _ = await self._api.param_serialize(
                method, path, header_params=headers, auth_settings=["BearerToken"]
            )
            if query:
                url = f"{url}?{urlencode(query)}"
            answer = await self._api.call_api(method, url, headers, body, _request_timeout=timeout)
            data = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._metrics.requests.labels(verb, resource.plural, "none").inc()
            raise Unavailable(f"{verb} {path}: no answer ({error!r})") from error
        self._metrics.requests.labels(verb, resource.plural, str(answer.status)).inc()
        if answer.status >= 400:
            raise self._error(f"{verb} {path}", answer.status, data, answer.headers)
        found: Body = json.loads(data) if data else {}
        return found

    def _write_timeout(self, what: str) -> aiohttp.ClientTimeout:
        """A write must be over, or given up, before another operator can have taken the lease.

        Raises:
            NotLeading: It may not even begin.
        """
        left = self._write_seconds()
        if left <= 0.0:
            raise NotLeading(f"{what}: not sent, because this operator does not hold the lease any more")
        if math.isinf(left):
            return TIMEOUT
        return aiohttp.ClientTimeout(total=left + LEASE_SECONDS - WRITE_SECONDS, sock_connect=5)

    async def _wait_for_door(self) -> None:
        left = self._closed_until - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    def _error(self, what: str, code: int, data: bytes, headers: Mapping[str, str]) -> KubeError:
        message, reason = _status(data)
        wait = _retry_after(headers) if code in {429, 503} else None
        if wait is not None:
            self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + wait)
        family = _BY_CODE.get(code, Unavailable if code >= 500 else KubeError)
        if reason == "AlreadyExists":
            family = AlreadyExists
        return family(f"{what}: {message}" if family is not Invalid else message, code=code, retry_after=wait)


def _status(data: bytes) -> tuple[str, str]:
    """Message and reason of a metav1.Status; the raw text of anything else."""
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return data[:500].decode(errors="replace"), ""
    return str(body.get("message", "")), str(body.get("reason", ""))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return min(max(float(headers.get("Retry-After", "")), 0.0), 60.0)
    except ValueError:
        return None
