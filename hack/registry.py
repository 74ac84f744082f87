"""An image registry beside the cluster, so that only changed layers move after a change of code."""

import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path

from hack import docker, shell, tools
from hack.versions import NODE, REGISTRY, REGISTRY_HOST, REGISTRY_PORT, pinned

CONFIG = """version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
http:
  addr: :5000
"""
HOSTS_TOML = f'[host."http://{REGISTRY}:5000"]\n'


def image() -> str:
    """Return the tag of the registry's own image."""
    return f"trainyard/registry:{pinned('github.com/distribution/distribution/v3')}"


def answers() -> bool:
    """Tell whether the registry answers on the host."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{REGISTRY_PORT}/v2/", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def state() -> str | None:
    """Return the state of the registry's container, None when there is none."""
    return shell.output(["docker", "container", "inspect", "-f", "{{.State.Status}}", REGISTRY])


def ensure() -> None:
    """Make sure that the registry runs in the cluster's network; its images outlive `down`."""
    if answers() and state() == "running":
        return
    with shell.stage("registry", "start the image registry"):
        build_image()
        shell.output(["docker", "rm", "-f", REGISTRY])
        shell.run(
            [
                "docker", "run", "-d", "--name", REGISTRY, "--network", "kind",
                "-p", f"127.0.0.1:{REGISTRY_PORT}:5000", "-v", f"{REGISTRY}:/var/lib/registry", image(),
            ],
            log="registry",
            remedy=f"see whether something else listens on port {REGISTRY_PORT}",
        )  # fmt: skip
        limit = time.monotonic() + 20
        while not answers():
            if time.monotonic() > limit:
                raise shell.ToolError(
                    f"the registry does not answer on {REGISTRY_HOST}; see `docker logs {REGISTRY}`"
                )
            time.sleep(0.2)


def build_image() -> None:
    """Make an image of the compiled registry."""
    if docker.image_id(image()) is not None:
        return
    tools.ensure(["registry"])
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "config.yml"
        config.write_text(CONFIG)
        archive = Path(scratch) / "registry.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(config, "etc/registry.yml")
            tar.add(tools.path("registry"), "usr/local/bin/registry")
        start = 'ENTRYPOINT ["/usr/local/bin/registry", "serve", "/etc/registry.yml"]'
        shell.run(["docker", "import", "--change", start, archive, image()], log="registry")


def tell_node() -> None:
    """Point the node's containerd at the registry under the name that the host uses."""
    folder = f"/etc/containerd/certs.d/{REGISTRY_HOST}"
    script = f"mkdir -p {folder} && printf '%s' '{HOSTS_TOML}' > {folder}/hosts.toml"
    shell.run(["docker", "exec", NODE, "sh", "-c", script], log="registry")
