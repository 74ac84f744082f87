"""Process 1 of a pod whose training has several processes: it starts those of its pod, and speaks for them.

It imports no torch: it is there when the kernel kills a child for memory, and tells that from other deaths.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from trainyard.api.wire import Result
from trainyard_trainer.errors import JobError, Stopped, Temporary
from trainyard_trainer.launch.children import COMMAND, Children
from trainyard_trainer.launch.layout import Layout
from trainyard_trainer.launch.verdict import verdict
from trainyard_trainer.outcome import Outcome
from trainyard_trainer.results import make_result
from trainyard_trainer.stop import StopRequest
from trainyard_trainer.threads import CGROUP
from trainyard_trainer.tracking.system_cgroup import usage

NAME_SECONDS = 600.0
_GRACE_SECONDS = 54.0  # of the 60 that a pod has: what a checkpoint and MLflow's last metrics may take
_FOLLOW_SECONDS = 45.0  # for the others once one has failed: the first still tells MLflow


def launch(
    layout: Layout,
    stop: StopRequest,
    workdir: Path,
    command: Sequence[str] = COMMAND,
    cgroup: Path = CGROUP,
) -> Result:
    """Run the processes of this pod to their end; the pod's result comes back.

    Args:
        layout: Which they are.
        stop: Set by a signal, which they then get too.
        workdir: The pod's folder; all but the first process get one of their own in it.
        command: What a process runs.
        cgroup: Where the kernel counts those that it killed.
    """
    try:
        if layout.node:
            wait_for_name(layout.host, stop)
    except JobError as error:
        return make_result(Outcome(), error)
    killed = _killed(cgroup)
    with TemporaryDirectory(prefix="trainyard-") as folder:
        places = layout.places(Path(folder))
        with Children(places, Path(folder), workdir, command).start() as children:
            watch(children, stop)
            oom = children.failed and _killed(cgroup) > killed
            return verdict(children.ends(), out_of_memory=oom, asked=stop.is_set())


def watch(children: Children, stop: StopRequest) -> None:
    """Until all have ended: when asked to stop they are, and when one fails the others cannot go on."""
    while children.running and not children.failed:
        if stop.is_set():
            children.signal(signal.SIGTERM)
            children.end(_GRACE_SECONDS)
            return
        time.sleep(0.05)
    if children.running:
        children.signal(signal.SIGTERM)
        children.end(_FOLLOW_SECONDS)


def wait_for_name(host: str, stop: StopRequest, seconds: float = NAME_SECONDS) -> None:
    """Until the first pod has an address.

    Raises:
        Temporary: It has none for too long.
        Stopped: Asked to stop meanwhile.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.getaddrinfo(host, None)
            return
        except OSError as error:
            reason = error.strerror or str(error)
        if stop.is_set():
            raise Stopped("stopped before training began", "start it again")
        if time.monotonic() > deadline:
            raise Temporary(
                f"the first pod of the group, {host}, has no address after {seconds:.0f} s: {reason}",
                "look whether that pod could be scheduled and its image pulled (kubectl describe)",
            )
        time.sleep(0.5)


def _killed(cgroup: Path) -> int:
    """Processes of ours that the kernel has killed for memory."""
    return usage(cgroup).oom_kills or 0
