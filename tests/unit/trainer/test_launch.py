"""The launcher of several processes: whose end is the pod's, and what signals and lost memory come to.

The processes are tiny programs in place of the trainer; tests/unit/trainer/test_many.py has real ones.
"""

from __future__ import annotations

import json
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from trainyard.api.wire import Result
from trainyard_trainer.errors import InvalidSpec, Stopped, Temporary
from trainyard_trainer.launch.launcher import launch, wait_for_name
from trainyard_trainer.launch.layout import Layout, read_layout
from trainyard_trainer.launch.place import Place
from trainyard_trainer.stop import StopRequest

PRELUDE = """
import json, os, signal, sys, threading, time
rank = int(os.environ["TRAINYARD_RANK"])

def word(code=0, cause=None, message=None, **more):
    body = {"formatVersion": 1, "exitCode": code, "cause": cause, "message": message, **more}
    with open(os.environ["TRAINYARD_RESULT"], "w") as file:
        json.dump({key: value for key, value in body.items() if value is not None}, file)

def ready():
    open(os.path.join(os.environ["READY"], str(rank)), "w").close()

"""


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    root = tmp_path / "cgroup"
    root.mkdir()
    (root / "cgroup.controllers").write_text("memory\n")
    (root / "memory.events").write_text("oom 0\noom_kill 3\n")
    return root


def run(folder: Path, program: str, processes: int = 2, stop: StopRequest | None = None) -> Result:
    (folder / "program.py").write_text(PRELUDE + textwrap.dedent(program))
    command = [sys.executable, "-S", "-E", str(folder / "program.py")]
    layout = Layout(per_node=processes)
    return launch(layout, stop or StopRequest(), folder, command, folder / "cgroup")


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cgroup: Path) -> None:
    monkeypatch.setenv("READY", str(tmp_path))
    monkeypatch.setenv("EVENTS", str(cgroup / "memory.events"))


def test_the_first_processs_result_is_the_pods(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        """
        time.sleep(0.2 * (1 - rank))  # the others end before the first, which goes on alone
        word(runID="r-1" if rank == 0 else None, metrics={"val_auc": 0.5} if rank == 0 else {})
        """,
    )
    assert (result.exit_code, result.run_id, result.metrics) == (0, "r-1", {"val_auc": 0.5})


def test_places(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
        names = ("RANK", "PROCESSES", "LOCAL_RANK", "LOCAL_PROCESSES", "WORKDIR")
        with open(os.path.join(os.environ["READY"], f"place-{rank}"), "w") as file:
            json.dump([os.environ[f"TRAINYARD_{name}"] for name in names], file)
        """,
    )
    found = [json.loads((tmp_path / f"place-{rank}").read_text()) for rank in range(2)]
    assert found == [
        ["0", "2", "0", "2", str(tmp_path)],
        ["1", "2", "1", "2", str(tmp_path / "process-1")],
    ]


def test_out_of_memory_is_told_from_other_deaths(tmp_path: Path) -> None:
    program = """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready()
    if rank == 1:
        while not os.path.exists(os.path.join(os.environ["READY"], "0")):
            time.sleep(0.01)
        if {oom}:
            open(os.environ["EVENTS"], "w").write("oom 1\\noom_kill 4\\n")
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
    word(75, "Temporary", "lost the others", runID="r-1")
    sys.exit(76)
    """
    killed = run(tmp_path, program.format(oom=False))
    assert (killed.exit_code, killed.cause, killed.run_id) == (1, None, "r-1")
    assert killed.message == "process 1 left no word: killed by SIGKILL"
    (tmp_path / "0").unlink()
    starved = run(tmp_path, program.format(oom=True))
    assert (starved.exit_code, starved.cause, starved.run_id) == (137, "OOMKilled", "r-1")
    assert "compute.processesPerNode" in str(starved.remedy)


@pytest.mark.parametrize("culprit", [0, 1])
def test_the_process_that_failed_speaks_not_those_that_lost_it(culprit: int, tmp_path: Path) -> None:
    result = run(
        tmp_path,
        f"""
        if rank == {culprit}:
            word(65, "DataError", "row 7")
            sys.exit(65)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(0.2)
        word(75, "Temporary", "lost the others")
        sys.exit(76)
        """,
        processes=3,
    )
    assert (result.exit_code, result.cause) == (65, "DataError")
    assert result.message == ("row 7" if culprit == 0 else "process 1: row 7")


def test_peers_elsewhere_lost(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        """
        signal.signal(signal.SIGTERM, lambda *a: (word(143, "Stopped", "stopped"), os._exit(143)))
        if rank == 0:
            time.sleep(10)
        ready()
        word(75, "Temporary", "lost the others")
        sys.exit(76)
        """,
    )
    assert (result.exit_code, result.cause) == (75, "Temporary")


def test_sigterm_goes_to_all(tmp_path: Path) -> None:
    stop = StopRequest()

    def ask() -> None:
        while not all((tmp_path / str(rank)).exists() for rank in range(2)):
            pass
        stop.set()

    thread = threading.Thread(target=ask)
    thread.start()
    result = run(
        tmp_path,
        """
        def saved(*a):
            word(143, "Stopped", "stopped in epoch 3", epochs=2)
            sys.exit(143)
        signal.signal(signal.SIGTERM, saved)
        ready()
        time.sleep(30)
        """,
        stop=stop,
    )
    thread.join()
    assert (result.exit_code, result.cause, result.epochs) == (143, "Stopped", 2)


def test_children_end_with_their_parent(tmp_path: Path) -> None:
    """Even when the parent is killed: the end of their standard input tells them."""
    import subprocess

    parent = f"""
import sys
from pathlib import Path
from trainyard_trainer.launch.launcher import launch
from trainyard_trainer.launch.layout import Layout
from trainyard_trainer.stop import StopRequest
heavy = {{"torch", "numpy", "mlflow"}} & set(sys.modules)
assert not heavy, heavy  # or the launcher would be as likely to be killed for memory as its children
launch(Layout(per_node=2), StopRequest(), Path({str(tmp_path)!r}),
       [sys.executable, {str(tmp_path / "program.py")!r}])
"""
    program = """
    from trainyard_trainer.launch.children import leave_with_parent
    leave_with_parent()
    print(os.getpid(), flush=True)
    time.sleep(60)
    """
    (tmp_path / "program.py").write_text(PRELUDE + textwrap.dedent(program))
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    children = [int(process.stdout.readline()) for _ in range(2)]
    process.kill()
    assert process.stdout.read() == ""  # returns when the last child has closed it, which it does by ending
    process.wait()
    assert len(set(children)) == 2


def test_a_pod_waits_for_the_first_ones_address() -> None:
    with pytest.raises(Temporary, match=r"the first pod of the group, nowhere\.invalid, has no address"):
        wait_for_name("nowhere.invalid", StopRequest(), seconds=0.0)
    stop = StopRequest()
    stop.set()
    with pytest.raises(Stopped):
        wait_for_name("nowhere.invalid", stop)
    wait_for_name("localhost", StopRequest())


def test_processes_share_threads_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainyard_trainer.data import memory
    from trainyard_trainer.threads import LOCAL_PROCESSES, thread_count

    threads, limit = thread_count(), memory.limit_bytes()
    monkeypatch.setenv(LOCAL_PROCESSES, "2")
    assert (thread_count(), memory.share_bytes()) == (max(1, threads // 2), limit // 2)
    monkeypatch.setenv(LOCAL_PROCESSES, "64")
    assert thread_count() == 1


def test_layouts(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    assert read_layout(path, {}) == Layout()
    path.write_text("{}")
    assert read_layout(path, {}) == Layout()
    path.write_text('{"spec": {"compute": {"nodes": 3, "processesPerNode": 2}}}')
    environment = {"MASTER_ADDR": "a-0.a.b.svc", "MASTER_PORT": "29500", "JOB_COMPLETION_INDEX": "1"}
    layout = read_layout(path, environment)
    assert (layout, layout.size, layout.host) == (Layout(3, 1, 2, "a-0.a.b.svc:29500"), 6, "a-0.a.b.svc")
    assert layout.places(tmp_path) == [
        Place(2, 6, 0, 2, "tcp://a-0.a.b.svc:29500"),
        Place(3, 6, 1, 2, "tcp://a-0.a.b.svc:29500"),
    ]
    assert read_layout(path, {**environment, "TRAINYARD_NODES": "1"}) == Layout(per_node=2)
    with pytest.raises(InvalidSpec, match="MASTER_PORT, JOB_COMPLETION_INDEX not set"):
        read_layout(path, {"MASTER_ADDR": "a"})
