"""The kind cluster: created, brought back after its processes were lost, or made anew."""

import json
import time
from pathlib import Path
from typing import Any

from hack import docker, nodeimage, registry, shell, tools
from hack.versions import BUILD, CLUSTER, KUBECONFIG, NODE, REGISTRY, ROOT, digest_of, state_dir

READY_TIMEOUT_S = 120.0
RESTART_TIMEOUT_S = 75.0
# Where the node image is ours: pods get addresses from the CNI file in the image, and the controller
# manager's host-path provisioner makes its folders on the node, not in its own container.
OFFLINE_CONFIG = """networking:
  disableDefaultCNI: true
kubeadmConfigPatches:
- |
  kind: ClusterConfiguration
  controllerManager:
    extraVolumes:
    - name: volumes
      hostPath: /tmp/hostpath_pv
      mountPath: /tmp/hostpath_pv
      pathType: DirectoryOrCreate
"""


def offline_config(config: str) -> str:
    """Add to kind-config.yaml what a node image of our own needs."""
    for line in config.splitlines():
        if line.startswith(("networking:", "kubeadmConfigPatches:")):
            raise shell.ToolError(
                f"kind-config.yaml sets `{line}` itself; merge it with hack/cluster.py's own."
            )
    return config.rstrip() + "\n" + OFFLINE_CONFIG


def kubectl(*words: str) -> list[str]:
    """Return a kubectl command line for this cluster."""
    return [str(tools.path("kubectl")), f"--kubeconfig={KUBECONFIG}", *words]


def ask(*words: str) -> str | None:
    """Ask the cluster something; None when it does not answer soon."""
    return shell.output(kubectl("--request-timeout=5s", *words), timeout=20.0)


def node_state() -> str | None:
    """Return the state of the node's container, None when there is none."""
    return shell.output(["docker", "container", "inspect", "-f", "{{.State.Status}}", NODE])


def healthy() -> bool:
    """Tell whether the node is Ready and DNS serves."""
    ready = ask("get", "node", NODE, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}")
    if ready != "True":
        return False
    started = shell.output(["docker", "container", "inspect", "-f", "{{.State.StartedAt}}", NODE])
    pods = ask("-n", "kube-system", "get", "pods", "-l", "k8s-app=kube-dns", "-o", "json")
    return bool(started and pods and serves_since(json.loads(pods), started))


def serves_since(pods: dict[str, Any], node_started: str) -> bool:
    """Tell whether a pod is ready whose container is younger than the node's.

    After a restart the API server goes on telling what it knew before, until kubelet reports anew.
    """
    return any(
        container["ready"]
        and container["state"].get("running", {}).get("startedAt", "")[:19] >= node_started[:19]
        for pod in pods["items"]
        for container in pod["status"].get("containerStatuses", [])
    )


def wait(seconds: float) -> bool:
    """Wait until the cluster is healthy."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if healthy():
            return True
        if node_state() != "running":
            return False
        time.sleep(1)
    return False


def ensure() -> None:
    """Make sure that the cluster works and is what the files say: look, start it again, or create it."""
    tools.ensure(tools.ALWAYS)
    text, image = wanted()
    key = digest_of(salt=f"{text}{image}")
    if node_state() is not None:
        made_from = read(record_file())
        if made_from and made_from != key:
            shell.say("! kind-config.yaml or the node image has changed; the cluster is created anew")
            delete()
        elif not revive():
            shell.say("! the node does not come back; the cluster is created anew")
            delete()
    if node_state() is None:
        create(text, image)
        record_file().parent.mkdir(parents=True, exist_ok=True)
        record_file().write_text(key)
    registry.ensure()
    registry.tell_node()


def revive() -> bool:
    """Bring an existing cluster back; true when it is healthy."""
    if node_state() == "running":
        write_kubeconfig()
        if healthy():
            return True
    with shell.stage("node restart", "start the node again"):
        shell.output(["docker", "start", NODE], timeout=60)
        write_kubeconfig()
        return wait(RESTART_TIMEOUT_S)


def record_file() -> Path:
    """Return where the key of what the cluster was made from is kept."""
    return state_dir() / "cluster-key"


def read(file: Path) -> str:
    """Read a small file; empty when it is not there."""
    return file.read_text() if file.exists() else ""


def wanted() -> tuple[str, str | None]:
    """Return the kind config to use, and the tag of our own node image where none can be pulled."""
    text = (ROOT / "kind-config.yaml").read_text()
    return (text, None) if docker.can_pull() else (offline_config(text), nodeimage.tag())


def create(text: str, image: str | None) -> None:
    """Create the cluster, with our own node image where none can be pulled."""
    options = [] if image is None else ["--image", nodeimage.ensure()]
    config = BUILD / "kind-config.yaml"
    config.parent.mkdir(exist_ok=True)
    config.write_text(text)
    with shell.stage("kind create", "create the kind cluster"):
        shell.run(
            [
                tools.path("kind"),
                *("create", "cluster", "--name", CLUSTER, "--config", str(config)),
                *("--kubeconfig", str(KUBECONFIG), "--retain", *options),
            ],
            log="kind",
            remedy=f"look at `docker logs {NODE}`; `python3 -m hack down` and `up` start afresh",
        )
    with shell.stage("node ready", "wait for the node and DNS"):
        if not wait(READY_TIMEOUT_S):
            pods = ask("get", "pods", "-A") or "the API server does not answer"
            raise shell.ToolError(f"the cluster is not healthy after {READY_TIMEOUT_S:.0f} s:\n{pods}")


def write_kubeconfig() -> None:
    """Write build/kubeconfig of this clone."""
    KUBECONFIG.parent.mkdir(exist_ok=True)
    shell.output([tools.path("kind"), "export", "kubeconfig", "--name", CLUSTER, "--kubeconfig", KUBECONFIG])


def delete() -> None:
    """Delete the cluster with its volumes."""
    with shell.stage("kind delete", "delete the cluster"):
        shell.output([tools.path("kind"), "delete", "cluster", "--name", CLUSTER, "--kubeconfig", KUBECONFIG])
        shell.output(["docker", "rm", "-fv", NODE])


def down() -> None:
    """Remove the cluster, the registry's container and kind's network."""
    shell.output(["docker", "rm", "-f", REGISTRY])
    if node_state() is not None:
        delete()
    shell.output(["docker", "network", "rm", "kind"])
    docker.pull_memory().unlink(missing_ok=True)
