"""`trainyard logs [-f] NAME`: what the trainer writes; with -f over all attempts, until the job is over."""

from __future__ import annotations

import asyncio
import sys

from trainyard.cli.complain import say
from trainyard.cli.remote import Cluster, command
from trainyard.core.observed import Pod
from trainyard.core.reading import mapping, whole

_POLL_SECONDS = 1.0


def logs(name: str, namespace: str | None, follow: bool, index: int) -> int:
    """Print the log of the latest attempt's pod.

    Args:
        name: The TrainingJob.
        namespace: Where it is; the kubeconfig's where silent.
        follow: Go on with what comes, and with the next attempt's pod.
        index: Which pod of a group.
    """

    async def work(cluster: Cluster) -> int:
        seen = ""
        while True:
            job = await cluster.job(name)
            over = mapping(job.get("status")).get("state") in {"Succeeded", "Failed"}
            pod = _latest(await cluster.pods(name), index)
            if pod is not None and pod.uid != seen and (pod.running or pod.over):
                seen = pod.uid
                async for piece in cluster.kube.log(cluster.namespace, pod.name, follow=follow):
                    sys.stdout.buffer.write(piece)
                    sys.stdout.buffer.flush()
            elif over or not follow:
                return 0 if seen else _none(name, index, whole(mapping(job.get("status")).get("attempt")))
            else:
                await asyncio.sleep(_POLL_SECONDS)
            if not follow:
                return 0

    return command(namespace, work)


def _latest(pods: list[Pod], index: int) -> Pod | None:
    """The pod with the index in the latest attempt that has one."""
    return next((pod for pod in reversed(pods) if pod.index == index), None)


def _none(name: str, index: int, attempt: int) -> int:
    which = f" with index {index}" if index else ""
    say(
        f"{name} has no pod{which} that has run (attempt {attempt})",
        f"trainyard describe {name} tells why; -f waits for one",
    )
    return 64
