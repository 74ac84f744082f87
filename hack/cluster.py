"""The kind cluster: created, brought back after its processes were lost, or made anew."""

import time
from pathlib import Path

from hack import docker, nodeimage, registry, shell, tools
from hack.versions import BUILD, CLUSTER, KUBECONFIG, NODE, ROOT

READY_TIMEOUT_S = 120.0
RESTART_TIMEOUT_S = 75.0
# Where the node image is ours: pods get addresses from the CNI file in the image, and the controller manager's
# host-path provisioner makes its folders on the node, not in its own container.
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
            raise shell.ToolError(f"kind-config.yaml sets `{line}` itself; merge it with hack/cluster.py's own.")
    return config.rstrip() + "\n" + OFFLINE_CONFIG


def kubectl(*arguments: str, timeout: float = 20.0) -> str | None:
    """Ask the cluster something."""
    command = [tools.path("kubectl"), "--kubeconfig", KUBECONFIG, "--request-timeout=5s", *arguments]
    return shell.output(command, timeout=timeout)


def node_state() -> str | None:
    """Return the state of the node's container, None when there is none."""
    return shell.output(["docker", "container", "inspect", "-f", "{{.State.Status}}", NODE])


def healthy() -> bool:
    """Tell whether the node is Ready and DNS serves."""
    ready = kubectl("get", "node", NODE, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}")
    if ready != "True":
        return False
    dns = kubectl("-n", "kube-system", "get", "deployment", "coredns", "-o", "jsonpath={.status.readyReplicas}")
    return bool(dns and dns != "0")


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
    """Make sure that the cluster works: look, start the node again, or create it."""
    tools.ensure(tools.ALWAYS)
    if node_state() is not None and not revive():
        shell.say("! the node does not come back; the cluster is created anew")
        delete()
    if node_state() is None:
        create()
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


def create() -> None:
    """Create the cluster, with our own node image where none can be pulled."""
    config = ROOT / "kind-config.yaml"
    options: list[str | Path] = []
    if not docker.can_pull():
        options += ["--image", nodeimage.ensure()]
        text = offline_config(config.read_text())
        config = BUILD / "kind-config.yaml"
        config.parent.mkdir(exist_ok=True)
        config.write_text(text)
    with shell.stage("kind create", "create the kind cluster"):
        command = [tools.path("kind"), "create", "cluster", "--name", CLUSTER, "--config", config]
        shell.run(
            [*command, "--kubeconfig", KUBECONFIG, "--retain", *options],
            log="kind",
            remedy=f"look at `docker logs {NODE}`; `python3 -m hack down` and `up` start afresh",
        )
    with shell.stage("node ready", "wait for the node and DNS"):
        if not wait(READY_TIMEOUT_S):
            pods = kubectl("get", "pods", "-A") or "the API server does not answer"
            raise shell.ToolError(f"the cluster is not healthy after {READY_TIMEOUT_S:.0f} s:\n{pods}")


def write_kubeconfig() -> None:
    """Write build/kubeconfig of this clone."""
    KUBECONFIG.parent.mkdir(exist_ok=True)
    command = [tools.path("kind"), "export", "kubeconfig", "--name", CLUSTER, "--kubeconfig", KUBECONFIG]
    shell.output(command)


def delete() -> None:
    """Delete the cluster with its volumes."""
    with shell.stage("kind delete", "delete the cluster"):
        shell.output([tools.path("kind"), "delete", "cluster", "--name", CLUSTER, "--kubeconfig", KUBECONFIG])
        shell.output(["docker", "rm", "-fv", NODE])


def down() -> None:
    """Remove the cluster, the registry's container and kind's network."""
    shell.output(["docker", "rm", "-f", registry.REGISTRY])
    if node_state() is not None:
        delete()
    shell.output(["docker", "network", "rm", "kind"])
