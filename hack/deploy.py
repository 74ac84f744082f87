"""Install the chart into the development cluster, with the images that were just built."""

import json
from dataclasses import dataclass

from hack import cluster, docker, images, shell, tools
from hack.cluster import kubectl
from hack.images import IMAGES
from hack.versions import KUBECONFIG, ROOT

RELEASE = "trainyard"
NAMESPACE = "trainyard-system"
MLFLOW_NODE_PORT = 30500
MLFLOW_URL = "http://localhost:5500"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


@dataclass(frozen=True)
class ImageRef:
    """An image by digest, as `docker push` reported it."""

    repository: str
    digest: str

    @classmethod
    def parse(cls, ref: str) -> "ImageRef":
        """Split `host/name@sha256:...`."""
        repository, at, digest = ref.partition("@")
        if not at or not digest.startswith("sha256:"):
            raise shell.ToolError(
                f"{IMAGES} holds {ref!r}, which names no digest: run `python3 -m hack images` again"
            )
        return cls(repository, digest)


def built() -> dict[str, ImageRef]:
    """Read what `hack images` wrote, by target."""
    if not IMAGES.exists():
        raise shell.ToolError("the images are not built yet: run `make images`")
    written = json.loads(IMAGES.read_text())
    return {target: ImageRef.parse(written[target]) for target in ("operator", "trainer")}


def helm(*words: str) -> list[str]:
    """Return a helm command line for the development cluster."""
    return [str(tools.path("helm")), f"--kubeconfig={KUBECONFIG}", *words]


def values() -> list[str]:
    """Return the --set arguments: images by digest, and MLflow on a port of this machine."""
    found = built()
    sets = {
        **{f"image.{target}.repository": ref.repository for target, ref in found.items()},
        **{f"image.{target}.digest": ref.digest for target, ref in found.items()},
        "mlflow.service.type": "NodePort",
        "mlflow.service.nodePort": str(MLFLOW_NODE_PORT),
    }
    return [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]


def ensure_namespace(name: str) -> None:
    """Create a namespace that enforces the restricted Pod Security profile; do nothing where it is."""
    if shell.output(kubectl("get", "namespace", name, "-o", "name")) is None:
        shell.run(kubectl("create", "namespace", name), log="deploy")
    shell.run(kubectl("label", "--overwrite", "namespace", name, RESTRICTED), log="deploy")


def deploy() -> None:
    """Install or upgrade the release and wait until all of it is ready."""
    ensure_namespace(NAMESPACE)
    with shell.stage("helm install", f"helm upgrade --install {RELEASE} charts/trainyard"):
        shell.run(
            helm(
                *("upgrade", "--install", RELEASE, str(ROOT / "charts" / "trainyard")),
                *("--namespace", NAMESPACE, "--wait", "--timeout", "8m"),
                *values(),
            ),
            log="helm",
            remedy=f"look at `kubectl -n {NAMESPACE} get pods` and their Events "
            "(`eval $(python3 -m hack env)` sets KUBECONFIG)",
        )


def ready() -> None:
    """Bring up whatever is missing, from the Docker daemon to the installed chart."""
    docker.ensure()
    cluster.ensure()
    images.ensure()
    deploy()
