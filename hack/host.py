"""What the host can do, what it lacks, and the kernel settings that a cluster changes."""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from hack import shell
from hack.versions import state_dir

CAP_SYS_RESOURCE = 24
# What dockerd, kubelet and this tool set for the whole machine, with what this tool needs of each.
SYSCTLS: dict[str, int | None] = {
    "net/ipv4/ip_forward": None,
    "vm/overcommit_memory": None,
    "vm/panic_on_oom": None,
    "kernel/panic": None,
    "kernel/panic_on_oops": None,
    "kernel/keys/root_maxkeys": None,
    "kernel/keys/root_maxbytes": None,
    "fs/inotify/max_user_instances": 1024,
    "fs/inotify/max_user_watches": 524288,
}


def has_capability(status: str, number: int) -> bool:
    """Tell from the text of /proc/self/status whether a capability is in the bounding set."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapBnd":
            return bool(int(value, 16) >> number & 1)
    return True


def lacks_sys_resource() -> bool:
    """Tell whether privileged containers would be refused because this capability is not ours to give."""
    status = Path("/proc/self/status")
    return status.exists() and not has_capability(status.read_text(), CAP_SYS_RESOURCE)


def apt_install(programs: dict[str, str]) -> None:
    """Install the Debian packages of the programs (program -> package) that are not there yet."""
    packages = sorted({package for program, package in programs.items() if shutil.which(program) is None})
    if not packages:
        return
    names = ", ".join(packages)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise shell.ToolError(
            f"{names}: not installed, and this tool can install only on Debian as root. "
            "Install them, or start Docker."
        )
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:  # keeps the packages' services from starting
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    remedy = "check that Debian's package mirror of this machine can be reached"
    try:
        with shell.stage("apt install", f"install {names}"):
            shell.run(["apt-get", "update", "-q"], log="apt", env=env, remedy=remedy)
            shell.run(
                ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages],
                log="apt",
                env=env,
                remedy=remedy,
            )
    finally:
        if ours:
            policy.unlink()


def read_sysctls() -> dict[str, str]:
    """Read the settings that a cluster changes."""
    found = {}
    for name in SYSCTLS:
        file = Path("/proc/sys") / name
        if file.exists():
            found[name] = file.read_text().strip()
    return found


def raise_sysctls() -> None:
    """Raise what is too low for a Kubernetes node."""
    for name, least in SYSCTLS.items():
        file = Path("/proc/sys") / name
        if least is not None and file.exists() and int(file.read_text()) < least:
            file.write_text(str(least))


def boot_id() -> str:
    """Name this boot of the machine: settings recorded before another boot mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def remember(forward_policy: str, bridges: Iterable[str]) -> None:
    """Record the host's settings before the first change of this boot."""
    file = state_dir() / "host-before.json"
    if recall().get("boot") == boot_id():
        return
    before = {
        "boot": boot_id(),
        "forward": forward_policy,
        "bridges": sorted(bridges),
        "sysctls": read_sysctls(),
    }
    file.write_text(json.dumps(before))


def recall() -> dict[str, object]:
    """Return what `remember` recorded, or nothing."""
    try:
        known = json.loads((state_dir() / "host-before.json").read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def restore_sysctls() -> None:
    """Put the recorded settings back and forget them."""
    known = recall()
    settings = known.get("sysctls")
    if known.get("boot") == boot_id() and isinstance(settings, dict):
        for name, value in settings.items():
            file = Path("/proc/sys") / name
            if name in SYSCTLS and file.exists() and file.read_text().strip() != value:
                file.write_text(value)
    (state_dir() / "host-before.json").unlink(missing_ok=True)


def mounts_below(mountinfo: str, folders: Iterable[Path]) -> list[str]:
    """Return the mount points below the folders, deepest first."""
    roots = tuple(f"{folder}/" for folder in folders)
    points = [line.split()[4] for line in mountinfo.splitlines() if line]
    return sorted((p for p in points if f"{p}/".startswith(roots)), key=len, reverse=True)
