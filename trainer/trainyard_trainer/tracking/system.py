"""System metrics of a run that are true to its pod: CPU of the quota, memory of the limit, throttling, GPUs.

MLflow's own monitor reports the node's CPU and memory and ends for good after one failure; this one reads the
cgroup, and goes on.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from trainyard_trainer.threads import CGROUP
from trainyard_trainer.tracking import system_cgroup
from trainyard_trainer.tracking.mlflow_run import now_ms
from trainyard_trainer.tracking.system_gpu import Gpus

PREFIX = "system/"
FIRST_SECONDS, EVERY_SECONDS = 1.0, 10.0
_STOP_SECONDS = 2.0
_SHORTEST_SECONDS = 0.2  # over less, the share of CPU is noise
_NETWORK = Path("/proc/net/dev")
_log = logging.getLogger(__name__)

Log = Callable[[Mapping[str, float], int], None]
"""Takes metrics and when they were read, in milliseconds since 1970. Must not block."""


class Sampler:
    """One reading after another; differences are to the reading before, totals to the first."""

    def __init__(self, folder: Path = Path("/"), root: Path = CGROUP) -> None:
        """`folder` is on the file system whose space is watched."""
        self._folder, self._root = folder, root
        self._gpus = Gpus.open()
        self._first = self._last = system_cgroup.usage(root)
        self._network = parse_network(_text(_NETWORK))
        self._at = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the last reading."""
        return time.monotonic() - self._at

    def sample(self) -> dict[str, float]:
        """Everything that can be read now, by MLflow's names."""
        now, usage, first = time.monotonic(), system_cgroup.usage(self._root), self._first
        found = dict(system_cgroup.since(self._last, usage, now - self._at, system_cgroup.limits(self._root)))
        self._last, self._at = usage, now
        if usage.throttled_seconds is not None and first.throttled_seconds is not None:
            found["cpu_throttled_seconds"] = usage.throttled_seconds - first.throttled_seconds
        if usage.oom_kills is not None and first.oom_kills is not None:
            found["oom_events"] = float(usage.oom_kills - first.oom_kills)
        found |= _disk(self._folder)
        received, sent = parse_network(_text(_NETWORK))
        found["network_receive_megabytes"] = (received - self._network[0]) / 1e6
        found["network_transmit_megabytes"] = (sent - self._network[1]) / 1e6
        if self._gpus is not None:
            found |= self._gpus.metrics()
        return {PREFIX + name: round(value, 3) for name, value in found.items()}


class SystemMonitor:
    """A thread that samples: a second after the start, then every ten, and once more at the end."""

    def __init__(
        self,
        log: Log,
        folder: Path = Path("/"),
        root: Path = CGROUP,
        first: float = FIRST_SECONDS,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._log, self._first, self._every = log, first, every
        self._folder, self._root = folder, root
        self._stopped = threading.Event()
        self._complained = False
        self._thread = threading.Thread(target=self._work, name="system-metrics", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """Take the last sample and end; waits two seconds at most. May be called twice, or before `start`."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def _work(self) -> None:
        sampler: Sampler | None = None
        pause = self._first
        while True:
            try:
                sampler = sampler or Sampler(self._folder, self._root)
                over = self._stopped.wait(pause)
                pause = self._every
                if not over or sampler.age > _SHORTEST_SECONDS:
                    self._log(sampler.sample(), now_ms())
            except Exception as error:
                self._complain(error)
                over = self._stopped.wait(pause)
            if over:
                return

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            _log.warning(
                "system metrics: %s: %s (tried again; training goes on)", type(error).__name__, error
            )
            self._complained = True


def parse_network(text: str) -> tuple[int, int]:
    r"""Bytes received and sent from `/proc/net/dev`, without the loopback, which is no network.

    >>> parse_network("h\\nh\\n lo: 9 0 0 0 0 0 0 0 9\\neth0:5 1 0 0 0 0 0 0 7 1\\n")
    (5, 7)
    """
    received = sent = 0
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        counters = rest.split()
        if name.strip() != "lo" and len(counters) > 8:
            received, sent = received + int(counters[0]), sent + int(counters[8])
    return received, sent


def _disk(folder: Path) -> dict[str, float]:
    """Space of the file system; what only root may use counts as neither used nor available."""
    space = os.statvfs(folder)
    used, free = (space.f_blocks - space.f_bfree) * space.f_frsize, space.f_bavail * space.f_frsize
    return {
        "disk_usage_megabytes": used / 1e6,
        "disk_available_megabytes": free / 1e6,
        "disk_usage_percentage": 100 * used / max(1, used + free),
    }


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
