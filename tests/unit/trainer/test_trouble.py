"""Trouble around a training: damaged checkpoints, a full disk, MLflow that goes away, stopping anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.proxy import Proxy
from tests.support.tracking import TrackingServer
from tests.unit.trainer.jobs import Quiet, job, store
from trainyard_trainer.runner import run_job
from trainyard_trainer.stop import StopRequest

SMALL: dict[str, Any] = {
    "model": {"tabnet": None, "mlp": {"layers": 1, "width": 8}},
    "training": {"epochs": 6, "evaluation": {"bootstrapSamples": 20}},
}


class Listening(Quiet):
    """Remembers what is said; calls back at an epoch or when something is said."""

    def __init__(self, at_epoch: int = 0, at_stage: str = "", call: Any = None) -> None:
        super().__init__()
        self.said: list[str] = []
        self.at_epoch, self.at_stage, self.call = at_epoch, at_stage, call

    def stage(self, text: str) -> None:
        self.said.append(text)
        if self.at_stage and text.startswith(self.at_stage):
            self.call()

    def epoch(self, epoch: Any, epochs: int, eta_seconds: float) -> None:
        super().epoch(epoch, epochs, eta_seconds)
        if epoch.number == self.at_epoch:
            self.call()


@pytest.fixture
def uri(mlflow_template: Path, tmp_path: Path) -> str:
    return store(mlflow_template, tmp_path)


def history(uri: str, run: str | None) -> dict[str, list[int]]:
    """Steps of every metric of a run."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    names = client.get_run(run).data.metrics
    return {name: sorted(m.step for m in client.get_metric_history(run, name)) for name in names}


def interrupted(uri: str, folder: Path, work: Path, epoch: int) -> None:
    stop = StopRequest()
    result, _ = run_job(job(uri, folder, **SMALL), work, Listening(epoch, call=stop.set), stop)
    assert (result.exit_code, result.cause) == (143, "Stopped")


@pytest.mark.parametrize("damaged", ["one", "both", "index"])
def test_damaged_checkpoints(damaged: str, uri: str, tmp_path: Path) -> None:
    work = tmp_path / "w"
    folder = work / "checkpoint"
    interrupted(uri, tmp_path, work, 2)
    interrupted(uri, tmp_path, work, 4)
    slots = [folder / slot["slot"] for slot in json.loads((folder / "latest.json").read_text())["slots"]]
    assert len(slots) == 2
    for path in {"one": slots[:1], "both": slots, "index": [folder / "latest.json"]}[damaged]:
        path.write_bytes(path.read_bytes()[:-100])
    observer = Listening()
    result, _ = run_job(job(uri, tmp_path, **SMALL), work, observer, StopRequest())
    assert result.exit_code == 0, result
    if damaged == "one":
        assert observer.resumed_after == 2
    else:
        [said] = [text for text in observer.said if "no checkpoint can be used" in text]
        assert ("latest.json" if damaged == "index" else "slot-a.pt") in said
        assert observer.resumed_after == 0
    assert history(uri, result.run_id)["val_loss"] == [1, 2, 3, 4, 5, 6]


def test_a_checkpoint_of_another_version_starts_anew(uri: str, tmp_path: Path) -> None:
    from trainyard_trainer.assembly import fingerprint
    from trainyard_trainer.data.load import load
    from trainyard_trainer.data.prepare import prepare
    from trainyard_trainer.fit.checkpoint import CheckpointStore

    one = job(uri, tmp_path, **SMALL)
    data = prepare(load(one.data, tmp_path)[0], one.data)
    CheckpointStore(tmp_path / "w" / "checkpoint", fingerprint(one, data)).save({"network": {}}, 3)
    observer = Listening()
    result, _ = run_job(one, tmp_path / "w", observer, StopRequest())
    assert result.exit_code == 0, result
    assert any("does not fit this version" in text for text in observer.said)


@pytest.mark.parametrize("stage", ["reading", "packaging", "fitting the linear", "logging"])
def test_stopped_in_any_stage_and_gone_on(stage: str, uri: str, tmp_path: Path) -> None:
    stop = StopRequest()
    first, _ = run_job(
        job(uri, tmp_path, **SMALL), tmp_path / "w", Listening(at_stage=stage, call=stop.set), stop
    )
    if stage == "logging":  # nothing is left to save: what began is finished
        assert first.exit_code == 0, first
        return
    assert (first.exit_code, first.cause, first.model_uri) == (143, "Stopped", None), first
    observer = Listening()
    result, _ = run_job(job(uri, tmp_path, number=2, **SMALL), tmp_path / "w", observer, StopRequest())
    assert result.exit_code == 0, result
    assert observer.epochs == ([1, 2, 3, 4, 5, 6] if stage == "reading" else [])
    steps = history(uri, result.run_id)
    assert steps["val_loss"] == [1, 2, 3, 4, 5, 6]
    assert Counter(len(s) for name, s in steps.items() if name.startswith("test_")).keys() == {1}


def test_a_full_disk(uri: str, tmp_path: Path) -> None:
    folder = tmp_path / "w" / "checkpoint"
    folder.mkdir(parents=True)
    for slot in ("slot-a", "slot-b"):
        (folder / f"{slot}.tmp").symlink_to("/dev/full")
    result, _ = run_job(job(uri, tmp_path, **SMALL), tmp_path / "w", Quiet(), StopRequest())
    assert (result.exit_code, result.cause) == (75, "Temporary")
    assert f"the checkpoint cannot be written to {folder}: No space left on device" in str(result.message)
    assert str(folder) in str(result.remedy)


@pytest.fixture
def short_outages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    monkeypatch.setattr("trainyard_trainer.tracking.tracker.OUTAGE_SECONDS", 1.5)
    monkeypatch.setattr("trainyard_trainer.tracking.tracker._FLUSH_SECONDS", 0.2)
    monkeypatch.setattr("trainyard_trainer.tracking.patience._PAUSE_SECONDS", 0.2)


@pytest.mark.usefixtures("short_outages")
def test_mlflow_gone_for_good_then_back(
    tracking: TrackingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainyard_trainer.pipeline._CLOSE_SECONDS", 5.0)
    port = int(tracking.uri.rsplit(":", 1)[1])
    with Proxy(port) as proxy:
        uri = f"http://127.0.0.1:{proxy.port}"
        observer = Listening(2, call=proxy.cut)
        first, _ = run_job(job(uri, tmp_path, uid="gone", **SMALL), tmp_path / "w", observer, StopRequest())
        assert (first.exit_code, first.cause) == (69, "DependencyDown"), first
        assert uri in str(first.message)
        proxy.mend()
        again = Listening()
        second, _ = run_job(
            job(uri, tmp_path, number=2, uid="gone", **SMALL), tmp_path / "w", again, StopRequest()
        )
    assert second.exit_code == 0, second
    assert again.resumed_after >= 2
    steps = history(tracking.uri, second.run_id)
    assert all(len(found) == len(set(found)) for found in steps.values())


@pytest.mark.usefixtures("short_outages")
def test_mlflow_gone_for_a_moment(
    tracking: TrackingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainyard_trainer.tracking.tracker.OUTAGE_SECONDS", 60.0)
    port = int(tracking.uri.rsplit(":", 1)[1])
    with Proxy(port) as proxy:
        uri = f"http://127.0.0.1:{proxy.port}"

        def blink() -> None:
            proxy.cut()
            threading.Timer(1.0, proxy.mend).start()

        observer = Listening(3, call=blink)
        result, _ = run_job(job(uri, tmp_path, uid="blink", **SMALL), tmp_path / "w", observer, StopRequest())
    assert result.exit_code == 0, result
    steps = history(tracking.uri, result.run_id)
    assert steps["train_loss"] == [1, 2, 3, 4, 5, 6]
    assert all(len(found) == len(set(found)) for found in steps.values())


def test_two_threads_that_need_mlflow_first_both_get_it() -> None:
    """A resumed attempt asks for its checkpoints while the tracker still imports."""
    program = textwrap.dedent("""
        import sys, threading, time
        from trainyard_trainer.tracking.mlflow_run import translated

        def connect():
            from mlflow import MlflowClient

        sys.setswitchinterval(1e-5)
        trouble = []
        threading.excepthook = lambda raised: trouble.append(raised.exc_value)
        thread = threading.Thread(target=connect)
        thread.start()
        time.sleep(0.05)
        with translated("uri"):
            thread.join()
        sys.exit(bool(trouble))
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
