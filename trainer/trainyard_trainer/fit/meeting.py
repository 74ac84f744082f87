"""Where and how the processes of a training meet: once all have read their data.

They part when training is over: the first goes on alone to evaluate and to package.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import FileStore, PrefixStore, Store, TCPStore

from trainyard_trainer.errors import InvalidSpec, Temporary
from trainyard_trainer.fit.group import ALONE, Group
from trainyard_trainer.fit.processes import SECONDS, Many, talking
from trainyard_trainer.launch.place import NETWORK, Place
from trainyard_trainer.stop import StopRequest

MEET_SECONDS = 600.0


def join(place: Place, stop: StopRequest, seconds: float = MEET_SECONDS) -> Group:
    """Meet the other processes of a place's group; for the only one there is nothing to do.

    Raises:
        Stopped: Asked to stop while waiting.
        Temporary: Somebody did not come.
        PeersLost: Somebody came and went.
        InvalidSpec: More processes than GPUs.
    """
    if place.size == 1:
        return ALONE
    device = torch.device("cpu")
    if torch.cuda.is_available():
        if place.local_size > torch.cuda.device_count():
            raise InvalidSpec(
                f"compute.processesPerNode is {place.local_size}, "
                f"and there are {torch.cuda.device_count()} GPUs here",
                "one process for each GPU",
            )
        device = torch.device("cuda", place.local_rank)
        torch.cuda.set_device(device)
    deadline = time.monotonic() + seconds
    with talking():
        store = _store(place, stop, deadline)
        store.set(f"here/{place.rank}", "")
        for rank in range(place.size):
            _wait_for(lambda key=f"here/{rank}": store.check([key]), place, stop, deadline)  # type: ignore[misc]
        dist.init_process_group(
            "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl",
            store=PrefixStore("group", store),
            rank=place.rank,
            world_size=place.size,
            timeout=timedelta(seconds=SECONDS),
        )
    return Many(place, store, device, stop)


def _store(place: Place, stop: StopRequest, deadline: float) -> Store:
    """Where processes leave notes: a file on one machine, else the first process's server."""
    kind, _, where = place.meeting.partition("://")
    if kind == "file":
        names = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
        os.environ.setdefault(NETWORK, names[0] if names else "lo")
        return FileStore(where, place.size)
    host, _, port = where.rpartition(":")
    if place.rank > 0:
        _wait_for(lambda: _listens(host, int(port)), place, stop, deadline)
    return TCPStore(
        host,
        int(port),
        place.size,
        is_master=place.rank == 0,
        timeout=timedelta(seconds=SECONDS),
        wait_for_workers=False,
    )


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2.0):
            return True
    except OSError:
        return False


def _wait_for(done: Callable[[], bool], place: Place, stop: StopRequest, deadline: float) -> None:
    while not done():
        stop.check()
        if time.monotonic() > deadline:
            raise Temporary(
                f"process {place.rank + 1} of {place.size} waited too long for the others",
                "look whether all pods of the attempt could start, and what the others say",
            )
        time.sleep(0.05)
