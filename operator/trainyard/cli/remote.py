"""The cluster that commands about TrainingJobs speak to: the one of KUBECONFIG, with its user's rights."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import yaml
from kubernetes.aio.config import ConfigException

from trainyard.cli.complain import say
from trainyard.controller.kube import PODS, TRAINING_JOBS, Forbidden, Kube, KubeError, NotFound, Unavailable
from trainyard.controller.metrics import Metrics
from trainyard.core import reading
from trainyard.core.observed import Pod
from trainyard.render.labels import selector

_ENDLESS = aiohttp.ClientTimeout(total=None, sock_connect=5)
_REMEDIES: dict[type[KubeError], tuple[int, str]] = {
    NotFound: (64, "look at the name and the namespace: trainyard get -A"),
    Forbidden: (77, "ask for the right in the cluster (kubectl auth can-i)"),
    Unavailable: (69, "look whether the cluster of your kubeconfig can be reached: kubectl cluster-info"),
}


class Remote(Kube):
    """A client for people: what the operator's can do, and logs."""

    async def log(self, namespace: str, pod: str, *, follow: bool) -> AsyncIterator[bytes]:
        """What a pod's container has written, and with `follow` what it writes, in pieces as they come."""
        query = urlencode({"follow": "true"} if follow else {})
        method, url, headers, _, _ = await self._api.param_serialize(
            "GET", PODS.path(namespace, pod, "log"), auth_settings=["BearerToken"]
        )
        answer = await self._api.call_api(method, f"{url}?{query}", headers, _request_timeout=_ENDLESS)
        if answer.status >= 400:
            raise self._error(f"log of pod {pod}", answer.status, await answer.read(), answer.headers)
        async for piece in answer.response.content.iter_any():
            yield piece


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a command works."""

    kube: Remote
    namespace: str

    async def job(self, name: str) -> dict[str, Any]:
        """Read a TrainingJob."""
        return await self.kube.get(TRAINING_JOBS, self.namespace, name)

    async def pods(self, name: str) -> list[Pod]:
        """Pods of a TrainingJob, by attempt and index."""
        found = self.kube.list(PODS, self.namespace, labelSelector=selector(name))
        pods = [reading.pod(body) async for body in found]
        return sorted(pods, key=lambda pod: (pod.attempt, pod.index, pod.name))


@asynccontextmanager
async def connected(namespace: str | None) -> AsyncIterator[Cluster]:
    """Log in as kubectl would; without a namespace in that of the kubeconfig's context."""
    kube = await Remote.connect(Metrics())
    try:
        yield Cluster(kube, namespace or _default_namespace())
    finally:
        await kube.close()


def command(namespace: str | None, work: Callable[[Cluster], Awaitable[int]]) -> int:
    """Do something in the cluster; what goes wrong is told, and the result is the exit code."""

    async def main() -> int:
        async with connected(namespace) as cluster:
            return await work(cluster)

    try:
        return asyncio.run(main())
    except KubeError as error:
        code, remedy = _REMEDIES.get(type(error), (1, ""))
        say(str(error), remedy)
        return code
    except ConfigException as error:
        say(f"there is no cluster to speak to: {error}", "set KUBECONFIG, as for kubectl")
        return 64
    except KeyboardInterrupt:
        return 130


def _default_namespace() -> str:
    """Namespace of the current context, as kubectl takes it; `default` where none is said."""
    for path in os.environ.get("KUBECONFIG", str(Path.home() / ".kube" / "config")).split(os.pathsep):
        try:
            body = yaml.safe_load(Path(path).read_text())
        except (OSError, yaml.YAMLError):
            continue
        current = reading.mapping(body).get("current-context")
        for context in reading.mappings(reading.mapping(body).get("contexts")):
            if current and context.get("name") == current:
                return reading.text(reading.mapping(context.get("context")).get("namespace")) or "default"
    return "default"
