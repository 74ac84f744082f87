"""How many processes a training has, and which of them run here: from spec.json and the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard_trainer.errors import InvalidSpec
from trainyard_trainer.launch.place import Place

NODES, NODE, HOST, PORT = "TRAINYARD_NODES", "JOB_COMPLETION_INDEX", "MASTER_ADDR", "MASTER_PORT"


@dataclass(frozen=True, slots=True)
class Layout:
    """Pods, this one among them, processes in each, and the first pod's address `host:port`."""

    nodes: int = 1
    node: int = 0
    per_node: int = 1
    address: str = ""

    @property
    def size(self) -> int:
        """All processes."""
        return self.nodes * self.per_node

    @property
    def host(self) -> str:
        """Of the first pod; empty where there is only one."""
        return self.address.rpartition(":")[0]

    def places(self, folder: Path) -> list[Place]:
        """Of the processes here; those of one machine meet in `folder`."""
        meeting = f"tcp://{self.address}" if self.nodes > 1 else f"file://{folder / 'meeting'}"
        first = self.node * self.per_node
        return [
            Place(first + local, self.size, local, self.per_node, meeting) for local in range(self.per_node)
        ]


def read_layout(spec: Path, environment: Mapping[str, str] = os.environ) -> Layout:
    """The layout of a pod; that of one process where the specification cannot be read, as it will be told.

    Raises:
        InvalidSpec: There are other pods, and nothing says where.
    """
    try:
        compute: Any = json.loads(spec.read_bytes())["spec"].get("compute") or {}
        nodes = int(environment.get(NODES) or compute.get("nodes") or 1)
        per_node = int(compute.get("processesPerNode") or 1)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Layout()
    if nodes <= 1:
        return Layout(per_node=per_node)
    missing = [name for name in (HOST, PORT, NODE) if not environment.get(name)]
    if missing:
        raise InvalidSpec(
            f"compute.nodes is {nodes}, and {', '.join(missing)} not set: nothing says where the others are",
            "let the operator run it, or set compute.nodes to 1",
        )
    address = f"{environment[HOST]}:{environment[PORT]}"
    return Layout(nodes, int(environment[NODE]), per_node, address)
