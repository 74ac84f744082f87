"""`trainyard.run` and `trainyard.load`: the pipeline of the pods from Python."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import yaml

import trainyard
from tests.unit.trainer.jobs import spec, store
from trainyard.api.trainingjob import TrainingJob
from trainyard.errors import DataError, InvalidSpec, Stopped, TrainyardError
from trainyard.local.progress import LineObserver

HEAD = {"apiVersion": "trainyard.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "bc"}}
FEW: dict[str, Any] = {"epochs": 3, "evaluation": {"bootstrapSamples": 50, "baseline": False}}


@pytest.fixture
def uri(mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store in a folder of the test's own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return store(mlflow_template, tmp_path)


@pytest.fixture
def frame() -> pandas.DataFrame:
    """A category and a number decide; two cells are missing."""
    draw = np.random.default_rng(0)
    rows = pandas.DataFrame({"job": draw.choice(["nurse", "pilot"], 200), "age": draw.uniform(20, 60, 200)})
    rows["target"] = np.where((rows["job"] == "pilot") | (rows["age"] > 50), "yes", "no")
    rows.loc[3, "job"] = None
    rows.loc[4, "age"] = None
    return rows


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, trainyard; dir(trainyard); print([m for m in ('torch', 'pandas', 'sklearn', 'mlflow', "
    )
    code += "'numpy', 'pydantic', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        trainyard.lod  # noqa: B018


def test_a_frame_becomes_a_model(uri: str, frame: pandas.DataFrame, tmp_path: Path) -> None:
    body = spec(training={**FEW, "epochs": 20}, data={"positiveClass": "yes"})
    before = signal.getsignal(signal.SIGINT)
    result = trainyard.run(body, frame, progress=False)
    assert signal.getsignal(signal.SIGINT) is before
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert result.tracking_uri == uri
    assert result.rows == 200
    assert result.metrics["test_roc_auc"] > 0.8
    assert result.evaluation["test"]["roc_auc"]["low"] <= result.metrics["test_roc_auc"]
    assert result.table().loc["roc_auc", "test"] == result.metrics["test_roc_auc"]
    assert "test_" in repr(result)

    rows = frame.drop(columns="target").iloc[10:14]
    answers = result.predict(rows)
    assert list(answers.index) == [10, 11, 12, 13]
    assert list(answers) == ["prediction", "probability_no", "probability_yes"]
    assert set(result.explain(rows)) == {"age", "job"}
    importance = result.importance(rows)
    assert importance["importance"].sum() == pytest.approx(1.0)
    assert importance["importance"].is_monotonic_decreasing

    for where in (result.save(tmp_path / "kept"), result.model_uri, result.run_id):
        loaded = trainyard.load(where)
        pandas.testing.assert_frame_equal(loaded.predict(rows), answers)
        assert loaded.inputs == {"age": "numeric", "job": "categorical"}
        assert loaded.classes == ["no", "yes"]


def test_a_frame_and_a_file_of_the_same_rows_are_the_same_run(
    uri: str, frame: pandas.DataFrame, tmp_path: Path
) -> None:
    frame.to_csv(tmp_path / "rows.csv", index=False)
    body = spec(training=FEW, data={"source": {"uri": "rows.csv"}})
    (tmp_path / "job.yaml").write_text(yaml.safe_dump({**HEAD, "spec": body}))
    of_file = trainyard.run("job.yaml", progress=False)
    of_frame = trainyard.run(TrainingJob.strict({**HEAD, "spec": body}), frame, progress=False)
    assert of_frame.data_digest == of_file.data_digest
    assert of_frame.holdout_digest == of_file.holdout_digest
    assert of_frame.metrics == of_file.metrics
    assert of_frame.run_id != of_file.run_id


def test_the_callers_mlflow_and_threads_stay_as_they_were(uri: str, tmp_path: Path) -> None:
    import mlflow
    import torch

    other = f"sqlite:///{tmp_path / 'other.db'}"
    (tmp_path / "other.db").write_bytes((tmp_path / "mlflow.db").read_bytes())
    mlflow.set_tracking_uri(other)
    torch.use_deterministic_algorithms(False)
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    try:
        with mlflow.start_run() as mine:
            result = trainyard.run(spec(training=FEW), tracking_uri=uri, progress=False)
            assert mlflow.active_run().info.run_id == mine.info.run_id
            assert mlflow.get_tracking_uri() == other
    finally:
        mlflow.set_tracking_uri(None)
    assert torch.equal(torch.rand(2), expected)
    assert not torch.are_deterministic_algorithms_enabled()
    assert mlflow.MlflowClient(uri).get_run(result.run_id).info.status == "FINISHED"


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (3, InvalidSpec, "a specification is no int"),
        ("nowhere.yaml", InvalidSpec, r"nowhere\.yaml cannot be read"),
        ({"model": {"tabnet": {"nd": 3}}}, InvalidSpec, "spec.model.tabnet.nd: no such field"),
        (spec(data={"target": "targe"}), DataError, "no column 'targe'; did you mean 'target'"),
        (spec(training={"metric": "val_f2"}), InvalidSpec, "'val_f2' is not measured"),
    ],
)
def test_failures_are_exceptions_with_a_remedy(
    body: Any, kind: type[TrainyardError], says: str, uri: str, frame: pandas.DataFrame
) -> None:
    with pytest.raises(kind, match=says) as caught:
        trainyard.run(body, frame, progress=False)
    assert "what to do: " in str(caught.value)
    assert caught.value.remedy


def test_what_cannot_be_loaded_or_asked(uri: str, frame: pandas.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="no folder and no model of MLflow"):
        trainyard.load("nowhere")
    with pytest.raises(DataError, match=r"holds no package\.json"):
        trainyard.load(tmp_path)
    result = trainyard.run(spec(training={**FEW, "epochs": 1}), frame, progress=False)
    with pytest.raises(DataError, match=r"missing column 'age'(.|\n)*the model takes the columns"):
        result.predict(frame[["job"]])
    with pytest.raises(DataError, match="column 'age', row 1: 'old' is not a number"):
        result.predict(pandas.DataFrame({"job": ["x", "y"], "age": [1, "old"]}))


def test_an_interrupt_saves_and_the_same_call_goes_on(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    class Interrupting(threading.Thread):
        """Ctrl-C, once training has begun."""

        def run(self) -> None:
            for _ in range(6000):
                if any(Path(os.environ["XDG_CACHE_HOME"]).rglob("latest.json")):
                    break
                threading.Event().wait(0.02)
            os.kill(os.getpid(), signal.SIGINT)

    checkpoints = {"intervalSeconds": 1}
    body = spec(training={**FEW, "epochs": 400, "deterministic": False, "checkpointing": checkpoints})
    body["training"]["earlyStopping"] = {"patience": 25}
    thread = Interrupting()
    thread.start()
    with pytest.raises(Stopped, match="call it again to go on"):
        trainyard.run(body)
    thread.join()
    assert "stopping: saving a checkpoint" in capsys.readouterr().out
    result = trainyard.run(body)
    assert "resuming after epoch" in capsys.readouterr().out
    import mlflow

    history = mlflow.MlflowClient(uri).get_metric_history(result.run_id, "val_loss")
    steps = [point.step for point in history]
    assert sorted(steps) == list(range(1, result.epochs + 1))
    assert not any(Path(os.environ["XDG_CACHE_HOME"]).rglob("latest.json"))


def test_no_signal_handler_outside_the_main_thread(uri: str, frame: pandas.DataFrame) -> None:
    found: list[Any] = []
    thread = threading.Thread(
        target=lambda: found.append(trainyard.run(spec(training={**FEW, "epochs": 1}), frame, progress=False))
    )
    thread.start()
    thread.join()
    assert found[0].epochs == 1


def test_the_line_of_a_notebook_is_written_over(frame: pandas.DataFrame) -> None:
    from trainyard_trainer.fit.loop import Epoch

    file = io.StringIO()
    with LineObserver(file, "val_auc") as observer:
        observer.stage("reading a file of a long name")
        for number in (1, 2):
            observer.epoch(Epoch(number, {"train_loss": 1.0, "val_auc": 0.5}, 0.1, 10, number == 1), 2, 0.0)
        observer.fold(2, 2, {"auc": 0.75})
    shown = file.getvalue()
    assert "\n" not in shown
    lines = [line for line in shown.split("\r") if line.strip()]
    assert lines[0] == "reading a file of a long name"
    assert lines[1].startswith("█████████████████")
    assert "epoch 2/2  val_auc 0.5000, best 0.5000 (epoch 1)  0 s left" in lines[1]
    assert "fold 2/2  auc 0.7500" in lines[2]
    assert shown.endswith("\r")
    assert len(shown.split("\r")[-2]) >= len(lines[2].rstrip())  # the last one is wiped
