"""How many threads a process of ours should use, in training and in serving: what its pod was granted."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
LOCAL_PROCESSES = "TRAINYARD_LOCAL_PROCESSES"
"""Environment: how many processes of one training share what this pod or machine has."""


def cpu_quota(cgroup: Path = CGROUP) -> float | None:
    """CPUs that the cgroup grants (v2, then v1); None where there is no quota."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        if quota != "max":
            return int(quota) / int(period)
    except (OSError, ValueError):
        pass
    for controller in ("cpu", "cpu,cpuacct"):
        try:
            granted = int((cgroup / controller / "cpu.cfs_quota_us").read_text())
            period_us = int((cgroup / controller / "cpu.cfs_period_us").read_text())
        except (OSError, ValueError):
            continue
        if granted > 0:
            return granted / period_us
    return None


def local_processes() -> int:
    """Among how many processes CPUs and memory are divided."""
    try:
        return max(1, int(os.environ.get(LOCAL_PROCESSES, "")))
    except ValueError:
        return 1


def thread_count(cgroup: Path = CGROUP) -> int:
    """Threads worth having: the quota, else the CPU request (TRAINYARD_CPU_REQUEST_MILLI), else the cores.

    Processes that train together get an equal share each.

    Torch would take the node's cores, and a pod that may use two of 64 would spend its time being throttled.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    granted = cpu_quota(cgroup)
    if granted is None:
        try:
            granted = float(os.environ.get("TRAINYARD_CPU_REQUEST_MILLI", "")) / 1000
        except ValueError:
            granted = float(cores)
    return max(1, min(cores, math.ceil(granted)) // local_processes())


def prepare_environment() -> None:
    """What must be set before torch is imported.

    Idle OpenMP threads sleep instead of spinning: on a node that others use too, spinning makes a small
    step ten times slower, and on one that is ours alone sleeping costs little.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
