"""`python3 -m hack COMMAND`: the development cluster, on machines with Docker and on bare Debian alike."""

import argparse
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hack import cluster, docker, registry, shell, tools
from hack.versions import KUBECONFIG, REGISTRY, REGISTRY_HOST, bin_dir, cache_root

HELP = {
    "up": "Docker daemon if there is none, kind cluster, registry. Again: looks and repairs. "
    "Leaves running: those; writes build/kubeconfig; raises fs.inotify limits if it started the daemon",
    "down": "remove cluster, registry container, kind's network; stop the daemon that `up` started and undo "
    "its bridges, iptables rules, cgroups and sysctls. Leaves: compiled tools, Docker's images and volumes, "
    "Debian packages",
    "clean": "down, and delete the cache folder with compiled tools and Docker's data. Leaves: Debian "
    "packages (docker.io, debootstrap), Go's own caches",
    "images": "build the operator and trainer images, push them to the registry, write build/images.json",
    "deploy": "install or upgrade the chart in the cluster with the images of build/images.json",
    "demo": "up, images, deploy, then a TrainingJob from apply to Succeeded and where to look",
    "tools": "compile the Go programs into the cache and print its folder",
    "contract-tools": "compile only what the contract tests start; print name=path lines",
    "env": "print shell exports: DOCKER_HOST, KUBECONFIG, PATH",
    "kubeconfig": "print the path of the kubeconfig",
    "status": "show what runs",
}


def up() -> None:
    """Bring everything up."""
    docker.ensure()
    cluster.ensure()
    print(f"cluster is up: export KUBECONFIG={KUBECONFIG}; registry {REGISTRY_HOST}")


def down() -> None:
    """Take everything down and put the host back."""
    if docker.adopt():
        cluster.down()
    docker.stop()


def clean() -> None:
    """Take everything down and delete what was kept."""
    down()
    if docker.adopt():  # the user's own daemon: only what is ours goes
        shell.output(["docker", "volume", "rm", REGISTRY])
    shutil.rmtree(cache_root(), ignore_errors=True)


def images() -> None:
    """Build and push the images."""
    from hack import images as build

    docker.ensure()
    registry.ensure()
    print(json.dumps(build.ensure(), indent=1))


def deploy() -> None:
    """Install the chart."""
    from hack import deploy as chart

    docker.ensure()
    chart.deploy()


def demo() -> None:
    """Show all of it."""
    from hack import demo as show

    show.demo()


def compile_all() -> None:
    """Compile every tool."""
    tools.ensure()
    print(bin_dir())


def contract_tools() -> None:
    """Compile and name what contract tests start."""
    tools.ensure(tools.CONTRACT)
    for name in tools.CONTRACT:
        print(f"{name}={tools.path(name)}")


def env() -> None:
    """Print exports for a shell."""
    docker.adopt()
    for name, value in docker.environment().items():
        print(f"export {name}={value}")
    print(f"export KUBECONFIG={KUBECONFIG}")
    print(f'export PATH="{bin_dir()}:$PATH"')


def status() -> None:
    """Show what runs."""
    print(f"docker: {os.environ.get('DOCKER_HOST', 'default') if docker.adopt() else 'no daemon'}")
    print(f"tools: {bin_dir()}, {len(tools.missing(tools.TOOLS))} to compile")
    print(f"node: {cluster.node_state() or 'none'}, {'healthy' if cluster.healthy() else 'not healthy'}")
    print(f"registry: {REGISTRY_HOST} {'answers' if registry.answers() else 'does not answer'}")


COMMANDS = {
    "up": up,
    "down": down,
    "clean": clean,
    "images": images,
    "deploy": deploy,
    "demo": demo,
    "tools": compile_all,
    "contract-tools": contract_tools,
    "env": env,
    "kubeconfig": lambda: print(KUBECONFIG),
    "status": status,
}


# Two of these at once would trip over each other.
ALONE = {"up", "down", "clean", "images", "deploy", "demo", "tools", "contract-tools"}


@contextmanager
def alone(command: str) -> Iterator[None]:
    """Wait for another run of this tool on this machine, in whichever clone."""
    if command not in ALONE:
        yield
        return
    cache_root().mkdir(parents=True, exist_ok=True)
    with (cache_root() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with shell.Ticker("wait for another `python3 -m hack` on this machine"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python3 -m hack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in HELP.items():
        commands.add_parser(name, help=text, description=text)
    command = parser.parse_args().command
    began = time.monotonic()
    try:
        with alone(command):
            COMMANDS[command]()
    except shell.ToolError as error:
        shell.say(f"error: {command}: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    if command in {"up", "down", "clean", "images", "tools"}:
        shell.record(f"{command} (all)", time.monotonic() - began)
        shell.say(f"{command}: {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
