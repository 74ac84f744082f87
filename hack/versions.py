"""Where things lie, and the key of the tool cache."""

import hashlib
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
TOOLS_SOURCE = ROOT / "hack" / "tools"
NODE_SOURCE = ROOT / "hack" / "node"
KUBECONFIG = BUILD / "kubeconfig"

CLUSTER = "trainyard"
NODE = f"{CLUSTER}-control-plane"
REGISTRY = "trainyard-registry"
REGISTRY_PORT = 5001
REGISTRY_HOST = f"localhost:{REGISTRY_PORT}"
DEBIAN_RELEASE = "trixie"
PULLED_PYTHON_BASE = "python:3.13-slim"


def cache_root() -> Path:
    """Return the folder that outlives clones of this repository."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "trainyard"


def state_dir() -> Path:
    """Return where the Docker daemon that this tool starts keeps its data, socket and pid file."""
    return cache_root() / "docker"


def digest_of(*files: Path, salt: str = "") -> str:
    """Name a set of files by their content; names count too, modes and times do not."""
    sha = hashlib.sha256(salt.encode())
    for file in sorted(files):
        sha.update(f"\0{file.name}\0".encode())
        sha.update(file.read_bytes())
    return sha.hexdigest()[:12]


def tools_key() -> str:
    """Return the key of the compiled tools: what is pinned and our own few Go files decide."""
    return digest_of(
        TOOLS_SOURCE / "go.mod", TOOLS_SOURCE / "go.sum", *TOOLS_SOURCE.glob("*/*.go"), salt="flags-1"
    )


def bin_dir() -> Path:
    """Return where the compiled tools lie."""
    return cache_root() / tools_key() / "bin"


def module_version(module: str, go_mod: str) -> str:
    """Read the version that a go.mod pins for a module, e.g. `v1.34.4`."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise KeyError(f"{module} is not required in {TOOLS_SOURCE / 'go.mod'}")
    return found.group(1)


def pinned(module: str) -> str:
    """Return the pinned version of a module of `hack/tools/go.mod`."""
    return module_version(module, (TOOLS_SOURCE / "go.mod").read_text())


def kubernetes_version() -> str:
    """Return the Kubernetes version that is compiled where no node image can be pulled."""
    return pinned("k8s.io/kubernetes")
