"""Build a kind node image where kindest/node cannot be pulled: Debian packages and our compiled programs."""

import io
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hack import rootfs, shell, tools
from hack.versions import NODE_SOURCE, digest_of, kubernetes_version, tools_key

BUILDER = "trainyard-node-builder"
RECIPE = 1  # raise it when this file makes another image from the same sources
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "coredns", "pause")
START = 'ENTRYPOINT ["/usr/local/bin/node-entrypoint", "/sbin/init"]'


def tag() -> str:
    """Return the tag of the node image: its sources and programs decide, so a change builds a new one."""
    files = [file for file in NODE_SOURCE.rglob("*") if file.is_file()]
    key = digest_of(*files, salt=f"{tools_key()} {RECIPE}")
    return f"trainyard/node:{kubernetes_version()}-{key}"


def component_images() -> dict[str, str]:
    """Return the images that kubeadm expects: the last part of the name -> the whole reference."""
    listed = shell.output(
        [tools.path("kubeadm"), "config", "images", "list", "--kubernetes-version", kubernetes_version()]
    )
    if not listed:
        raise shell.ToolError(
            f"{tools.path('kubeadm')} does not list its images; run `python3 -m hack tools`."
        )
    return {ref.rsplit("/", 1)[1].split(":")[0]: ref for ref in listed.split()}


def ensure() -> str:
    """Build the node image unless it is there; return its tag."""
    name = tag()
    if shell.output(["docker", "image", "inspect", name]) is not None:
        return name
    tools.ensure()
    base = rootfs.ensure()
    with shell.stage("node image", "build the node image"), tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        images = component_images()
        prepare(folder, images["pause"])
        docker_build(folder, base, "proxy", images["kube-proxy"])
        docker_build(folder, base, "node", f"{name}-empty")
        for program in PROGRAMS:
            import_program(folder, program, images[program])
        preload(name, list(images.values()))
    return name


def prepare(folder: Path, pause: str) -> None:
    """Lay out the build context."""
    shutil.copy(NODE_SOURCE / "Dockerfile", folder)
    shutil.copytree(NODE_SOURCE / "files", folder / "files")
    config = folder / "files/etc/containerd/config.toml"
    config.write_text(config.read_text().replace("@PAUSE@", pause))
    version = folder / "files/kind/version"
    version.write_text(kubernetes_version())
    (folder / "bin").mkdir()
    for program in ("kubeadm", "kubelet", "kubectl", "kube-proxy"):
        shutil.copy(tools.path(program), folder / "bin")


def docker_build(folder: Path, base: str, target: str, name: str) -> None:
    """Build one target; the host's network serves apt."""
    choice = ["--build-arg", f"BASE={base}", "--target", target]
    shell.run(
        ["docker", "build", "--network", "host", *choice, "-t", name, folder],
        log="node-image",
        remedy="check that Debian's package mirror can be reached and that the disk has 5 GB free",
    )


def import_program(folder: Path, program: str, reference: str) -> None:
    """Make an image of one static program."""
    archive = folder / f"{program}.tar"
    with tarfile.open(archive, "w") as tar:
        info = tarfile.TarInfo("tmp")
        info.type, info.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(info, io.BytesIO())
        tar.add(tools.path(program), f"usr/local/bin/{program}")
    changes = ["--change", "ENV PATH=/usr/local/bin", "--change", f'ENTRYPOINT ["/usr/local/bin/{program}"]']
    shell.run(["docker", "import", *changes, archive, reference], log="node-image")
    archive.unlink()


@contextmanager
def builder(name: str) -> Iterator[None]:
    """Run a container of the node image with nothing but containerd in it."""
    shell.output(["docker", "rm", "-f", BUILDER])
    options = ["--name", BUILDER, "--security-opt", "seccomp=unconfined", "--entrypoint", "sleep"]
    shell.run(["docker", "run", "-d", *options, name, "infinity"], log="node-image")
    try:
        shell.run(["docker", "exec", "-d", BUILDER, "containerd"], log="node-image")
        limit = time.monotonic() + 30
        while shell.output(["docker", "exec", BUILDER, "ctr", "version"]) is None:
            if time.monotonic() > limit:
                raise shell.ToolError(
                    "containerd does not start in the node image; see build/logs/node-image.log"
                )
            time.sleep(0.3)
        yield
    finally:
        shell.output(["docker", "rm", "-f", BUILDER])


def preload(name: str, references: list[str]) -> None:
    """Put the component images into the node image, so that the cluster pulls nothing."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive, builder(f"{name}-empty"):
        shell.run(["docker", "save", "-o", archive.name, *references], log="node-image")
        with Path(archive.name).open("rb") as file:
            command = ["ctr", "-n", "k8s.io", "images", "import", "--all-platforms", "--no-unpack", "-"]
            shell.run(["docker", "exec", "-i", BUILDER, *command], log="node-image", stdin=file)
        shell.run(["docker", "exec", BUILDER, "pkill", "-x", "containerd"], log="node-image")
        time.sleep(1)
        shell.run(["docker", "commit", "--change", START, BUILDER, name], log="node-image")
