"""A Debian base image from packages, where none can be pulled."""

import re
import shutil
import tempfile
from pathlib import Path

from hack import host, shell
from hack.versions import DEBIAN_RELEASE

IMAGE = f"trainyard/debian:{DEBIAN_RELEASE}"
SHARED = ("usr/share/doc", "usr/share/man", "usr/share/locale")
DROPPED = ("var/cache/apt", "var/lib/apt/lists", "var/log", *SHARED)


def mirror_of(sources: str) -> str:
    """Find the Debian mirror in apt's sources (either format); empty means debootstrap's own default."""
    for pattern in (r"^URIs:\s*(\S+/debian)/?\s*$", r"^deb\s+(?:\[[^]]*\]\s+)?(\S+/debian)/?\s"):
        found = re.search(pattern, sources, re.MULTILINE)
        if found:
            return found.group(1)
    return ""


def host_sources() -> str:
    """Read the apt sources of this machine."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    return "\n".join(file.read_text(errors="replace") for file in files if file.is_file())


def ensure() -> str:
    """Make the base image with debootstrap unless it is there; return its name."""
    if shell.output(["docker", "image", "inspect", IMAGE]) is not None:
        return IMAGE
    host.apt_install({"debootstrap": "debootstrap"})
    with (
        shell.stage("debootstrap", f"debootstrap {DEBIAN_RELEASE}"),
        tempfile.TemporaryDirectory() as scratch,
    ):
        root = Path(scratch) / "rootfs"
        mirror = mirror_of(host_sources())
        shell.run(
            ["debootstrap", "--variant=minbase", DEBIAN_RELEASE, root, *([mirror] if mirror else [])],
            log="debootstrap",
            remedy="check that Debian's package mirror can be reached",
        )
        for folder in DROPPED:
            shutil.rmtree(root / folder, ignore_errors=True)
            (root / folder).mkdir(parents=True)
        archive = Path(scratch) / "rootfs.tar"
        shell.run(["tar", "-C", root, "-cf", archive, "."], log="debootstrap")
        shell.run(["docker", "import", archive, IMAGE], log="debootstrap")
    return IMAGE
