"""Which of a training's processes this is, and where they meet; told by the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from trainyard_trainer.threads import LOCAL_PROCESSES

_RANK, _SIZE, _LOCAL_RANK, _MEETING = (
    "TRAINYARD_RANK",
    "TRAINYARD_PROCESSES",
    "TRAINYARD_LOCAL_RANK",
    "TRAINYARD_MEETING",
)
NETWORK = "GLOO_SOCKET_IFNAME"
"""The network interface by which processes talk; where it is not set, the host's name says."""


@dataclass(frozen=True, slots=True)
class Place:
    """One process of a group; the default is the only one.

    Attributes:
        rank: Among all processes, from 0.
        size: All processes.
        local_rank: Among those of this machine or pod.
        local_size: Those of this machine or pod.
        meeting: `file://PATH` of this machine, or `tcp://HOST:PORT` of the first process.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    meeting: str = ""

    def environment(self) -> dict[str, str]:
        """What tells a child that this is its place."""
        values = asdict(self)
        names = (_RANK, _SIZE, _LOCAL_RANK, LOCAL_PROCESSES, _MEETING)
        return {name: str(value) for name, value in zip(names, values.values(), strict=True)}

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Place | None:
        """The place that a launcher gave; None where none did."""
        if _MEETING not in environment:
            return None
        names = (_RANK, _SIZE, _LOCAL_RANK, LOCAL_PROCESSES)
        rank, size, local_rank, local_size = (int(environment[name]) for name in names)
        return cls(rank, size, local_rank, local_size, environment[_MEETING])


ONLY = Place()
"""Of a process that trains alone."""
