"""Build the images and push them to the local registry; only changed layers move."""

import json
import os
import time

from hack import buildbase, docker, registry, shell
from hack.versions import BUILD, NODE, REGISTRY, REGISTRY_HOST, ROOT

TARGETS = ("operator", "trainer")
STAGES = ("operator-dependencies", "torch", "trainer-dependencies")
LIMITS_MB = {"operator": 500}
IMAGES = BUILD / "images.json"


def reference(target: str) -> str:
    """Return the tag under which a target is pushed."""
    return f"{REGISTRY_HOST}/trainyard/{target}:dev"


def build_target(target: str, name: str, python: str, installer: str) -> None:
    """Build one target of the Dockerfile."""
    bases = ["--build-arg", f"PYTHON_BASE={python}", "--build-arg", f"BUILD_BASE={installer}"]
    command = ["docker", "build", "--network", "host", *bases, "--target", target, "-t", name]
    shell.run(
        [*command, ROOT],
        log=f"build-{target}",
        remedy="check that the Python package index can be reached and that the disk has 25 GB free",
    )


def push(target: str) -> str:
    """Push one image; return its reference by digest."""
    with shell.stage(f"push {target}", f"push the {target} image (layers that are not there yet)"):
        shell.run(["docker", "push", reference(target)], log=f"push-{target}")
    digests = shell.output(
        ["docker", "image", "inspect", "-f", "{{range .RepoDigests}}{{println .}}{{end}}", reference(target)]
    )
    name = reference(target).rsplit(":", 1)[0]
    for line in (digests or "").splitlines():
        if line.startswith(f"{name}@sha256:"):
            return line
    raise shell.ToolError(
        f"{reference(target)} has no digest after the push; see build/logs/push-{target}.log"
    )


def fetch(name: str) -> str:
    """Let the node pull an image now, so that no pod waits for gigabytes; return its name."""
    listed = shell.output(["docker", "exec", NODE, "ctr", "-n", "k8s.io", "images", "ls", "-q"])
    if listed is not None and name not in listed.split():
        with shell.stage("fetch into node", f"fetch {name.split('@')[0]} into the node"):
            pull = ["ctr", "-n", "k8s.io", "images", "pull", "--hosts-dir", "/etc/containerd/certs.d", name]
            shell.run(["docker", "exec", NODE, *pull], log="fetch")
    return name


def tidy(python: str, installer: str) -> None:
    """Name the stages that are worth keeping, and drop what no build of our own daemon will use again."""
    if os.environ.get("DOCKER_HOST") != docker.own_host():
        return
    before = [docker.image_id(f"trainyard/stage:{stage}") for stage in STAGES]
    for stage in STAGES:
        build_target(stage, f"trainyard/stage:{stage}", python, installer)
    if before != [docker.image_id(f"trainyard/stage:{stage}") for stage in STAGES]:
        with shell.stage("tidy", "drop images of former builds"):
            shell.run(["docker", "image", "prune", "-f"], log="tidy")
            collect = ["/usr/local/bin/registry", "garbage-collect", "--delete-untagged", "/etc/registry.yml"]
            shell.run(["docker", "exec", REGISTRY, *collect], log="tidy")


def size_mb(target: str) -> float:
    """Return the unpacked size of an image in megabytes."""
    return int(shell.output(["docker", "image", "inspect", "-f", "{{.Size}}", reference(target)]) or 0) / 1e6


def ensure() -> dict[str, object]:
    """Build and push both images, let the node fetch them; write and return what build/images.json holds."""
    docker.ensure()
    registry.ensure()
    python, installer = buildbase.ensure()
    summary: dict[str, object] = {}
    sizes: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for target in TARGETS:
        began = time.monotonic()
        with shell.stage(f"build {target}", f"build the {target} image"):
            build_target(target, reference(target), python, installer)
        sizes[target] = round(size_mb(target), 1)
        limit = LIMITS_MB.get(target)
        if limit and sizes[target] >= limit:
            raise shell.ToolError(f"the {target} image has {sizes[target]} MB; it must stay below {limit} MB")
        summary[target] = fetch(push(target))
        seconds[target] = round(time.monotonic() - began, 1)
    tidy(python, installer)
    summary |= {"sizesMB": sizes, "seconds": seconds}
    IMAGES.write_text(json.dumps(summary, indent=1) + "\n")
    return summary
