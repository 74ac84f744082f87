"""Several processes as pods and laptops start them: from the manifest to the model, and after a failure."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import trainyard
from tests.unit.trainer.jobs import attempt_spec, result_of, spec, store
from trainyard import errors

MLP = {"tabnet": None, "mlp": {"layers": 1, "width": 8}}
LONG = {"epochs": 5000, "deterministic": False, "evaluation": {"bootstrapSamples": 20}}


class Pod:
    """A pod of a group of two on this machine: its process 1, and what it prints."""

    def __init__(self, folder: Path, index: int, port: int) -> None:
        self.folder = folder / f"pod-{index}"
        self.folder.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "TRAINYARD_SPEC": str(folder / "spec.json"),
            "TRAINYARD_WORKDIR": str(self.folder / "work"),
            "TRAINYARD_RESULT": str(self.folder / "result.json"),
            "TRAINYARD_NODES": "2",
            "JOB_COMPLETION_INDEX": str(index),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "GLOO_SOCKET_IFNAME": "lo",
        }
        command = [sys.executable, "-m", "trainyard_trainer"]
        self.process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def until(self, text: str) -> None:
        """Read what it prints up to a line that begins so."""
        assert self.process.stdout is not None
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if line.startswith(text):
                return
        pytest.fail("".join(seen))

    def end(self) -> tuple[int, dict[str, Any], str]:
        """Its exit code, result and the rest of its log."""
        said, _ = self.process.communicate(timeout=120)
        return self.process.returncode, result_of(self.folder / "result.json"), said


def pods(folder: Path) -> tuple[Pod, Pod]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    return Pod(folder, 0, port), Pod(folder, 1, port)


def test_two_pods_stop_together(mlflow_template: Path, tmp_path: Path) -> None:
    uri, compute = store(mlflow_template, tmp_path), {"nodes": 2}
    body = attempt_spec(uri, model=MLP, training=LONG, compute=compute)
    (tmp_path / "spec.json").write_text(json.dumps(body))
    first, second = pods(tmp_path)
    first.until("epoch ")
    second.process.send_signal(signal.SIGTERM)  # a drained node: the pod without a word in MLflow
    (code, result, said), (other_code, other, silence) = first.end(), second.end()
    assert (code, other_code) == (143, 143), said
    assert (result["cause"], other["cause"]) == ("Stopped", "Stopped")
    assert result["epochs"] == other["epochs"] > 0
    assert "runID" not in other
    assert silence.strip().splitlines()[0] == "SIGTERM: saving and stopping"


def manifest(folder: Path, **compute: int) -> Path:
    body = {
        "apiVersion": "trainyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "bc"},
        "spec": spec(
            model=MLP,
            compute=compute,
            data={"split": {"validation": 0.15, "test": 0.15, "folds": 2}},
            training={
                "epochs": 10,
                "optimizer": {"learningRate": 0.01},
                "evaluation": {"bootstrapSamples": 20},
            },
        ),
    }
    path = folder / "job.yaml"
    path.write_text(json.dumps(body))
    return path


@pytest.fixture
def here(mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return store(mlflow_template, tmp_path)


def test_two_processes_on_a_laptop(here: str, tmp_path: Path) -> None:
    """Folds, training, evaluation: by the same call as one process."""
    result = trainyard.run(manifest(tmp_path, processesPerNode=2), tracking_uri=here, progress=False)
    assert result.metrics["test_roc_auc"] > 0.9
    assert result.metrics["oof_roc_auc"] > 0.9
    assert len(result.evaluation["folds"]) == 2
    assert "TRAINYARD_LOCAL_PROCESSES" not in os.environ


def _is_trainer(pid: str) -> bool:
    """There are others: servers of other tests, and git, which is gone as soon as it is seen."""
    try:
        return b"\0-m\0trainyard_trainer\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_process_beside_that_dies_is_named(here: str, tmp_path: Path) -> None:
    """Its death ends the training, which does not wait for it for ever."""

    def kill() -> None:
        mine = f"/proc/{os.getpid()}/task"
        while True:
            for task in Path(mine).iterdir():
                for child in (task / "children").read_text().split():
                    if _is_trainer(child):
                        os.kill(int(child), signal.SIGKILL)
                        return
            time.sleep(0.01)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(errors.TrainyardError, match="process 1 left no word: killed by SIGKILL"):
        trainyard.run(manifest(tmp_path, processesPerNode=2), tracking_uri=here, progress=False)
    thread.join()


def test_what_many_processes_cannot_do_is_refused(here: str, tmp_path: Path) -> None:
    import pandas

    with pytest.raises(errors.InvalidSpec, match=r"compute.nodes is 2, and this machine is one node") as told:
        trainyard.run(manifest(tmp_path, nodes=2), tracking_uri=here, progress=False)
    assert "compute.processesPerNode" in told.value.remedy
    with pytest.raises(errors.InvalidSpec, match=r"training.batchSize is 128, and 129 processes share"):
        trainyard.run(manifest(tmp_path, nodes=3, processesPerNode=43), tracking_uri=here, progress=False)
    body = {"model": {"mlp": {}}, "data": {"target": "y"}, "compute": {"processesPerNode": 2}}
    frame = pandas.DataFrame({"x": range(100), "y": [i % 2 for i in range(100)]})
    with pytest.raises(errors.InvalidSpec, match="the rows are in this process's memory"):
        trainyard.run(body, frame, tracking_uri=here, progress=False)
