"""Compile the Go programs of the cluster once per set of versions."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hack import shell
from hack.versions import TOOLS_SOURCE, bin_dir, pinned

K8S = "k8s.io/kubernetes/cmd"


@dataclass(frozen=True)
class Tool:
    """A program: its Go package, and whether it runs in a (Linux) container rather than on the host."""

    package: str
    in_container: bool = True


# In the order of need: what the contract tests start comes first.
TOOLS = {
    "etcd": Tool("go.etcd.io/etcd/server/v3"),
    "kube-apiserver": Tool(f"{K8S}/kube-apiserver"),
    "kube-controller-manager": Tool(f"{K8S}/kube-controller-manager"),
    "kubectl": Tool(f"{K8S}/kubectl", in_container=False),
    "kind": Tool("sigs.k8s.io/kind", in_container=False),
    "kubelet": Tool(f"{K8S}/kubelet"),
    "kubeadm": Tool(f"{K8S}/kubeadm"),
    "kube-scheduler": Tool(f"{K8S}/kube-scheduler"),
    "kube-proxy": Tool(f"{K8S}/kube-proxy"),
    "coredns": Tool("./coredns"),
    "pause": Tool("./pause"),
    "registry": Tool("github.com/distribution/distribution/v3/cmd/registry"),
    "helm": Tool("helm.sh/helm/v3/cmd/helm", in_container=False),
}
CONTRACT = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
ALWAYS = ("kubectl", "kind", "registry", "helm")


def ldflags() -> str:
    """Return the linker flags that tell programs their own version (else they say v0.0.0)."""
    kubernetes, helm = pinned("k8s.io/kubernetes"), pinned("helm.sh/helm/v3")
    major, minor = kubernetes.removeprefix("v").split(".")[:2]
    values = {
        "k8s.io/component-base/version.gitVersion": kubernetes,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/component-base/version.gitTreeState": "clean",
        "helm.sh/helm/v3/internal/version.version": helm,
    }
    for package in ("chartutil", "lint/rules"):
        values[f"helm.sh/helm/v3/pkg/{package}.k8sVersionMajor"] = major
        values[f"helm.sh/helm/v3/pkg/{package}.k8sVersionMinor"] = minor
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in values.items())])


def path(name: str) -> Path:
    """Return where a tool lies once it is compiled."""
    return bin_dir() / name


def missing(names: Iterable[str]) -> list[str]:
    """Return the tools that are still to be compiled, in the order of TOOLS."""
    wanted = set(names)
    return [name for name in TOOLS if name in wanted and not path(name).exists()]


def ensure(names: Iterable[str] = tuple(TOOLS)) -> None:
    """Compile what is missing; each tool appears in the cache whole or not at all."""
    todo = missing(names)
    if todo and shutil.which("go") is None:
        raise shell.ToolError("go is not installed. Install Go (https://go.dev/dl) and run this again.")
    for number, name in enumerate(todo, 1):
        with shell.stage(f"compile {name}", f"compile {name} ({number} of {len(todo)})"):
            compile_tool(name)


def compile_tool(name: str) -> None:
    """Compile one tool into the cache."""
    tool = TOOLS[name]
    folder = bin_dir()
    folder.mkdir(parents=True, exist_ok=True)
    env = {"CGO_ENABLED": "0", "GOWORK": "off"}
    if tool.in_container:
        env["GOOS"] = "linux"
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / name
        shell.run(
            ["go", "build", "-trimpath", "-ldflags", ldflags(), "-o", made, tool.package],
            log=f"compile-{name}",
            env=env,
            cwd=TOOLS_SOURCE,
            remedy="check that the Go module proxy can be reached and that the disk has 10 GB free",
        )
        os.replace(made, path(name))  # noqa: PTH105
