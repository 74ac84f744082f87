"""`trainyard suspend NAME` and `trainyard resume NAME`: runPolicy.suspend, without an editor."""

from __future__ import annotations

from trainyard.cli.complain import say
from trainyard.cli.remote import Cluster, command
from trainyard.controller.kube import TRAINING_JOBS
from trainyard.core.reading import mapping


def suspend(name: str, namespace: str | None, wish: bool) -> int:
    """Stop a job after a checkpoint, or let it go on."""

    async def work(cluster: Cluster) -> int:
        job = await cluster.job(name)
        state = mapping(job.get("status")).get("state")
        if state in {"Succeeded", "Failed"}:
            say(f"{name} is over ({state}): there is nothing to {'suspend' if wish else 'resume'}", "")
            return 64
        body = {
            "metadata": {"uid": mapping(job.get("metadata")).get("uid")},
            "spec": {"runPolicy": {"suspend": wish}},
        }
        await cluster.kube.patch(TRAINING_JOBS, cluster.namespace, name, body)
        print(f"{name} {'stops after a checkpoint' if wish else 'goes on from its checkpoint'}")
        return 0

    return command(namespace, work)
