"""The few calls the coordinator makes to the API server, as dictionaries.

Every call goes through here so that timeouts, errors and counting are decided once. Nothing is retried
here: each caller has its own way to go on.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp
from kubernetes.aio import client, config

from trainyard.api.names import MANAGER_COORDINATOR

Body = dict[str, Any]
ACCEPT = "application/json, application/jwk-set+json"
CALL_TIMEOUT = aiohttp.ClientTimeout(total=15, sock_connect=5)
WATCH_SECONDS = 300
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=150)
"""A watch that is silent for this long is cut: bookmarks come every minute on a healthy one."""


class KubeError(Exception):
    """The API server refused a call or could not be reached (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status or 'no answer'}: {message}")
        self.status = status


class Kube:
    """A client of one API server."""

    def __init__(self, api: Any) -> None:
        self._api = api

    @classmethod
    async def connect(cls) -> Kube:
        """Use KUBECONFIG when it is set, else the pod's own ServiceAccount, else the user's kubeconfig."""
        settings = client.Configuration()
        in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG")
        if in_pod:
            config.load_incluster_config(client_configuration=settings)
        else:
            await config.load_kube_config(client_configuration=settings)
        return cls(client.ApiClient(settings))

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Body:
        """GET a path and return its JSON object."""
        return await self._call("GET", path, params or {}, None, "application/json")

    async def apply(self, path: str, body: Body) -> Body:
        """Server-side apply of all the fields that the coordinator owns in one object."""
        params = {"fieldManager": MANAGER_COORDINATOR, "force": "true", "fieldValidation": "Strict"}
        return await self._call("PATCH", path, params, body, "application/apply-patch+yaml")

    async def watch(self, path: str, params: Mapping[str, Any]) -> AsyncGenerator[Body, None]:
        """Yield watch events until the server ends the stream."""
        query = {**params, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": WATCH_SECONDS}
        response = await self._send("GET", path, query, None, "application/json", WATCH_TIMEOUT)
        try:
            while line := await response.content.readline():
                yield _parse(line)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(0, f"watch of {path} broke: {error!r}") from error
        finally:
            response.close()

    async def _call(
        self, method: str, path: str, params: Mapping[str, Any], body: Body | None, kind: str
    ) -> Body:
        response = await self._send(method, path, params, body, kind, CALL_TIMEOUT)
        try:
            return _parse(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(0, f"{method} {path}: {error!r}") from error

    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: Body | None,
        content_type: str,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own object, not seconds
    ) -> aiohttp.ClientResponse:
        """Send one request and return its response once the status is known to be good."""
        verb, url, headers, data, _ = await self._api.param_serialize(
            method,
            path,
            query_params=list(params.items()),
            header_params={"Accept": ACCEPT, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = await self._api.call_api(verb, url, headers, data, _request_timeout=timeout)
            response: aiohttp.ClientResponse = answer.response
            if response.status >= 300:
                raise KubeError(response.status, f"{method} {path}: {_message(await response.read())}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(0, f"{method} {path}: {error!r}") from error
        return response


def _parse(raw: bytes) -> Body:
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise KubeError(0, f"answer is no JSON: {raw[:120]!r}") from error
    if not isinstance(value, dict):
        raise KubeError(0, f"answer is no JSON object: {raw[:120]!r}")
    return value


def _message(raw: bytes) -> str:
    """Pick the message out of a Status object."""
    try:
        return str(json.loads(raw)["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return raw[:200].decode(errors="replace")
