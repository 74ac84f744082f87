"""Find a Docker daemon, or start one of our own with every path apart from the host's."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from hack import host, network, shell
from hack.versions import PULLED_PYTHON_BASE, state_dir

START_TIMEOUT_S = 40.0
PULL_ANSWER_S = 20.0


def socket() -> Path:
    """Return the socket of the daemon that this tool starts."""
    return state_dir() / "docker.sock"


def pid_file() -> Path:
    """Return the pid file of the daemon that this tool starts."""
    return state_dir() / "dockerd.pid"


def answers(docker_host: str | None) -> bool:
    """Tell whether a daemon answers there (None: where the docker client looks by itself)."""
    env = {} if docker_host is None else {"DOCKER_HOST": docker_host}
    return shell.output(["docker", "version", "-f", "{{.Server.Version}}"], env=env, timeout=10) is not None


def own_host() -> str:
    """Return the DOCKER_HOST of our own daemon."""
    return f"unix://{socket()}"


def environment() -> dict[str, str]:
    """Return what the docker client needs in its environment beside what it has by itself."""
    env = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
    if shell.output(["docker", "buildx", "version"]) is None:
        env["DOCKER_BUILDKIT"] = "0"
    return env


def adopt() -> bool:
    """Point this process at a daemon that runs, the user's or ours; tell whether there is one."""
    chosen = os.environ.get("DOCKER_HOST")
    if chosen is None and socket().exists() and answers(own_host()):
        os.environ["DOCKER_HOST"] = own_host()
    elif not answers(None):
        if chosen == own_host():  # from `env` of an earlier session: it is ours to start
            del os.environ["DOCKER_HOST"]
        return False
    os.environ.update(environment())
    return True


def ensure() -> None:
    """Make sure that a daemon runs and that this process talks to it."""
    if adopt():
        return
    host.apt_install({"dockerd": "docker.io", "iptables": "iptables", "ip": "iproute2"})
    host.apt_install({"docker": "docker-cli"})  # a part of docker.io until Debian 12
    with shell.stage("dockerd", "start a Docker daemon"):
        start()
    os.environ["DOCKER_HOST"] = own_host()
    os.environ.update(environment())


def start() -> None:
    """Start dockerd detached from this process and wait until it answers."""
    state = state_dir()
    state.mkdir(parents=True, exist_ok=True)
    sweep()
    host.remember(network.forward_policy(network.rules_of("filter")), network.bridges())
    host.raise_sysctls()
    argv: list[str | Path] = [
        "dockerd", "--data-root", state / "data", "--exec-root", state / "exec",
        "--host", own_host(), "--pidfile", pid_file(),
        "--oom-score-adjust", "0", "--bip", "172.29.0.1/16",
    ]  # fmt: skip
    if host.lacks_sys_resource():
        argv += ["--add-runtime", f"weaker={install_shim()}", "--default-runtime", "weaker"]
    with (state / "dockerd.log").open("wb") as log:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    limit = time.monotonic() + START_TIMEOUT_S
    while not answers(own_host()):
        if child.poll() is not None or time.monotonic() > limit:
            tail = "\n".join((state / "dockerd.log").read_text(errors="replace").splitlines()[-15:])
            raise shell.ToolError(f"dockerd does not come up; the end of {state / 'dockerd.log'}:\n{tail}")
        time.sleep(0.2)
    network.accept_forwarding()


def install_shim() -> Path:
    """Write the OCI shim with a shebang of this very Python."""
    shim = state_dir() / "weaker-runc"
    source = Path(__file__).with_name("ocishim.py").read_text()
    # Not a virtual environment's link: the daemon may outlive the clone that holds it.
    shim.write_text(f"#!{Path(sys.executable).resolve()} -IS\n{source}")
    shim.chmod(0o755)
    return shim


def process_is(pid: int, program: str) -> bool:
    """Tell whether a process lives and was started from our state folder as that program."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return program in words[0].decode(errors="replace") and str(state_dir()).encode() in b"\0".join(words)


def our_processes(*programs: str) -> list[int]:
    """Return the processes of these programs that work in our state folder."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in pids if any(process_is(pid, program) for program in programs)]


def container_processes() -> list[int]:
    """Return what still runs in the cgroups of our containers: it outlives a daemon that was killed."""
    pids = set()
    for container in (state_dir() / "data/containers").glob("*"):
        for pattern in (f"docker/{container.name}", f"*/docker/{container.name}"):
            for group in Path("/sys/fs/cgroup").glob(pattern):
                for file in group.glob("**/cgroup.procs"):
                    try:
                        pids |= {int(pid) for pid in file.read_text().split()}
                    except OSError:  # the group went away meanwhile
                        continue
    return sorted(pids - {0})


def sweep() -> None:
    """End what runs in our state folder, and clear what a killed daemon leaves: containers, files, mounts."""
    end_all(our_processes("dockerd"))
    end_all(container_processes(), patience_s=0)
    end_all(our_processes("containerd"))  # the shims too
    state = state_dir()
    for stale in (pid_file(), socket(), state / "exec/containerd/containerd.pid"):
        stale.unlink(missing_ok=True)
    network.cut_cables()
    mountinfo = Path("/proc/self/mountinfo").read_text()
    for point in host.mounts_below(mountinfo, [state]):
        shell.output(["umount", "-l", point])


def end_all(pids: list[int], patience_s: float = 20.0) -> None:
    """Ask processes to end, then make them."""
    for sign, seconds in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 5.0)):
        for pid in pids:
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                continue
        limit = time.monotonic() + seconds
        while pids and time.monotonic() < limit:
            pids = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
            time.sleep(0.1)


def stop() -> None:
    """Stop our daemon and put the host's network, settings and cgroups back as they were."""
    if not host.recall() and not socket().exists():
        return
    with shell.stage("dockerd stop", "stop the Docker daemon and undo its network"):
        sweep()
        network.undo()
        host.restore_sysctls()
        remove_cgroups()


def remove_cgroups() -> None:
    """Remove the empty cgroups that Docker leaves behind."""
    for top in Path("/sys/fs/cgroup").glob("**/docker"):
        for folder in sorted(top.glob("**/"), key=lambda p: len(p.parts), reverse=True):
            try:
                folder.rmdir()
            except OSError:
                continue


def pull_memory() -> Path:
    """Return the file that remembers whether images can be pulled."""
    return state_dir() / "can-pull"


def can_pull() -> bool:
    """Tell whether images can be pulled; the answer holds until `down`: a cluster stays of one kind."""
    memory = pull_memory()
    if memory.exists():
        return memory.read_text() == "yes"
    question = ["docker", "manifest", "inspect", PULLED_PYTHON_BASE]
    ok = shell.output(question, timeout=PULL_ANSWER_S) is not None
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text("yes" if ok else "no")
    return ok


def image_id(reference: str) -> str | None:
    """Return the id of a local image, or None."""
    return shell.output(["docker", "image", "inspect", "-f", "{{.Id}}", reference])
