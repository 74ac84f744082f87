"""Where a run came from, as far as this process can know it: versions, device, image, commit.

Tags and not parameters: they are no choices of whoever trains, and a repetition is compared by them.
"""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata

COMMIT = "mlflow.source.git.commit"  # where MLflow's own pages show it
IMAGE_DIGEST = "trainyard.imageDigest"  # told by the coordinator: a pod knows only what its image is called
_GIT_SECONDS = 3.0


def provenance() -> dict[str, str]:
    """Tags; what is not known is left out."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    found = {
        "trainyard.version": _version("trainyard"),
        "trainyard.torch": _version("torch"),
        "trainyard.python": platform.python_version(),
        "trainyard.device": device,
        "trainyard.image": os.environ.get("TRAINYARD_IMAGE", ""),
        COMMIT: commit(),
    }
    return {name: value for name, value in found.items() if value}


def commit() -> str:
    """The commit that is checked out in this folder; empty where git, or a repository, is not."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
