"""What a run ran on, as tags beside those of `provenance`: a slow run is often a slow machine."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

from trainyard_trainer.threads import CGROUP, cpu_quota
from trainyard_trainer.tracking import system_cgroup
from trainyard_trainer.tracking.system_gpu import Gpus


def hardware(root: Path = CGROUP, cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Processor, cores, quota, memory limit and GPUs; what is not known is left out."""
    given = system_cgroup.limits(root)
    quota = cpu_quota(root)
    gpus = Gpus.open()
    found = {
        "trainyard.cpu": cpu_model(cpuinfo),
        "trainyard.cpus": f"{given.cpus:g}",
        "trainyard.cpuQuota": "" if quota is None else f"{quota:g}",
        "trainyard.memoryMiB": str(given.memory // 2**20),
        "trainyard.gpus": "" if gpus is None else ", ".join(gpus.names()),
        "trainyard.mlflow": _version("mlflow"),
    }
    return {name: value for name, value in found.items() if value}


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name; its architecture where the kernel gives no name."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next((name for name in names if name), platform.machine())


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
