"""What the kernel counts for this process's cgroup: the pod's own CPU and memory, not the node's.

Version 2 keeps everything in one folder, version 1 a folder a controller. Where a container sees only its own
cgroup, that is the root of the mount; elsewhere `/proc/self/cgroup` says where below it we are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from trainyard_trainer.data.memory import limit_bytes
from trainyard_trainer.threads import CGROUP, cpu_quota

_V1_CPU = ("cpu", "cpu,cpuacct", "cpuacct,cpu")
_V1_ACCOUNT = ("cpuacct", "cpu,cpuacct", "cpuacct,cpu")


@dataclass(frozen=True, slots=True)
class Usage:
    """Counters since the cgroup began, and memory now; None where the kernel does not say.

    Attributes:
        cpu_seconds: CPU time used by all processes.
        periods: Enforcement periods of the CPU quota in which something ran.
        throttled_periods: Those in which the quota was used up.
        throttled_seconds: Time for which threads were held back, summed over threads.
        memory: Bytes in use without the file cache that could be given back, as the kubelet counts them.
        oom_kills: Processes that the kernel killed for memory.
    """

    cpu_seconds: float | None = None
    periods: int | None = None
    throttled_periods: int | None = None
    throttled_seconds: float | None = None
    memory: int | None = None
    oom_kills: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """CPUs and bytes that this process may use: its cgroup's, else the machine's."""

    cpus: float
    memory: int


def limits(root: Path = CGROUP) -> Limits:
    """What utilisation is a share of."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Limits(min(cpu_quota(root) or float(cores), float(cores)), limit_bytes(root))


def usage(root: Path = CGROUP, mine: Path = Path("/proc/self/cgroup")) -> Usage:
    """The counters of this process's cgroup, version 2 or 1.

    Where the kernel keeps none, CPU time and memory are those of this process and its finished children.
    """
    places = parse_places(_read(mine))
    if (root / "cgroup.controllers").exists():
        found = usage_v2(_reader(root, ("",), places.get("", "/")))
    else:
        found = usage_v1(
            _reader(root, _V1_CPU, places.get("cpu", "/")),
            _reader(root, _V1_ACCOUNT, places.get("cpuacct", "/")),
            _reader(root, ("memory",), places.get("memory", "/")),
        )
    if found.cpu_seconds is None:
        found = replace(found, cpu_seconds=sum(os.times()[:4]))
    if found.memory is None and (pages := _read(Path("/proc/self/statm")).split()):
        found = replace(found, memory=int(pages[1]) * os.sysconf("SC_PAGE_SIZE"))
    return found


Read = Callable[[str], str]


def usage_v2(read: Read) -> Usage:
    """From the files of a version 2 cgroup; `read` gives a file's text, or nothing."""
    cpu, events = parse_flat(read("cpu.stat")), parse_flat(read("memory.events"))
    return Usage(
        _scaled(cpu.get("usage_usec"), 1e-6),
        cpu.get("nr_periods"),
        cpu.get("nr_throttled"),
        _scaled(cpu.get("throttled_usec"), 1e-6),
        _without_cache(read("memory.current"), parse_flat(read("memory.stat")).get("inactive_file")),
        events.get("oom_kill"),
    )


def usage_v1(cpu: Read, account: Read, memory: Read) -> Usage:
    """From the files of the three version 1 controllers."""
    stat = parse_flat(cpu("cpu.stat"))
    return Usage(
        _scaled(_whole(account("cpuacct.usage")), 1e-9),
        stat.get("nr_periods"),
        stat.get("nr_throttled"),
        _scaled(stat.get("throttled_time"), 1e-9),
        _without_cache(
            memory("memory.usage_in_bytes"), parse_flat(memory("memory.stat")).get("total_inactive_file")
        ),
        parse_flat(memory("memory.oom_control")).get("oom_kill"),
    )


def parse_flat(text: str) -> dict[str, int]:
    r"""Lines of a name and a whole number; anything else is passed over.

    >>> parse_flat("nr_periods 7\\nnr_throttled 2\\n")
    {'nr_periods': 7, 'nr_throttled': 2}
    """
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if (number := _whole(value)) is not None:
            found[name] = number
    return found


def parse_places(text: str) -> dict[str, str]:
    r"""Controller to path from `/proc/self/cgroup`; version 2 stands under the empty name.

    >>> parse_places("4:cpu,cpuacct:/pods/a\\n0::/b\\n")
    {'cpu': '/pods/a', 'cpuacct': '/pods/a', '': '/b'}
    """
    found = {}
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _reader(root: Path, names: tuple[str, ...], place: str) -> Read:
    """Files of our cgroup, else of the root that the container shows as its own."""
    folders = [root / name / place.lstrip("/") for name in names] + [root / name for name in names]
    folder = next((f for f in folders if f.is_dir()), root)
    return lambda name: _read(folder / name)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isdecimal() else None


def _scaled(value: int | None, unit: float) -> float | None:
    return None if value is None else value * unit


def _without_cache(current: str, inactive: int | None) -> int | None:
    used = _whole(current)
    return None if used is None else max(0, used - (inactive or 0))


def since(first: Usage, last: Usage, seconds: float, given: Limits) -> Mapping[str, float]:
    """Metrics between two readings, by MLflow's names where it has one, without its `system/`.

    Args:
        first: An earlier reading.
        last: The present one.
        seconds: Time between them.
        given: What utilisation is a share of.
    """
    found: dict[str, float] = {}
    if first.cpu_seconds is not None and last.cpu_seconds is not None and seconds > 0:
        share = (last.cpu_seconds - first.cpu_seconds) / seconds / given.cpus
        found["cpu_utilization_percentage"] = 100 * max(0.0, share)
    if last.memory is not None:
        found["system_memory_usage_megabytes"] = last.memory / 1e6
        found["system_memory_usage_percentage"] = 100 * last.memory / given.memory
    if first.periods is not None and last.periods is not None:
        periods = last.periods - first.periods
        held = (last.throttled_periods or 0) - (first.throttled_periods or 0)
        found["cpu_throttled_percentage"] = 100 * held / periods if periods > 0 else 0.0
    return found
