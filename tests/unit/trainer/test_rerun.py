"""`trainyard rerun`: the same again from what a run logged, and whether the same came out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas
import pytest

import trainyard
from tests.unit.trainer.jobs import spec, store
from trainyard.api.wire import Result
from trainyard.cli.rerun import rerun
from trainyard.local.repeat import judge
from trainyard.local.runs import RunRecord, RunStore

FEW = {"epochs": 2, "deterministic": True, "evaluation": {"bootstrapSamples": 20, "baseline": False}}


@pytest.fixture
def uri(mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "300")
    return store(mlflow_template, tmp_path)


def written(folder: Path, rows: int) -> dict[str, Any]:
    """The source of so many rows."""
    frame = pandas.DataFrame({"a": range(rows), "b": [i * 7 % 11 for i in range(rows)]})
    frame.assign(target=(frame["b"] > 4).astype(int)).to_csv(folder / "rows.csv", index=False)
    return {"source": {"uri": "rows.csv"}}


def test_a_deterministic_run_is_repeated_bit_by_bit(
    uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = trainyard.run(spec(training=FEW, data=written(tmp_path, 120)), progress=False)
    assert rerun(first.run_id, None, False) == 0
    out = capsys.readouterr().out
    assert f"repeats {first.run_id}: bit-identical" in out
    runs = RunStore(None).find(["notebook"], 5)
    original, again = runs
    assert original.run_id == first.run_id
    assert again.tags["trainyard.rerunOf"] == first.run_id
    assert again.params == original.params
    assert again.model_sha256 == first.model_sha256
    assert again.metrics["val_loss"] == original.metrics["val_loss"]
    for tag in ("trainyard.version", "trainyard.torch", "trainyard.python", "trainyard.device"):
        assert again.tags[tag] == original.tags[tag] != ""


def test_changed_data_are_refused_before_training(
    uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = trainyard.run(spec(training=FEW, data=written(tmp_path, 120)), progress=False)
    written(tmp_path, 130)
    assert rerun(first.run_id, None, False) == 65
    assert "the data have changed: their digest is" in capsys.readouterr().err
    assert [run.run_id for run in RunStore(None).find(["notebook"], 5)] == [first.run_id]

    assert rerun(first.run_id, None, True) == 1
    out = capsys.readouterr().out
    assert "what came out differs" in out
    assert "the data are not those of the run that was repeated" in out
    assert "val_roc_auc" in out


def test_what_cannot_be_repeated(uri: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    frame = pandas.read_csv(Path(tmp_path, written(tmp_path, 60)["source"]["uri"]))
    in_memory = trainyard.run(spec(training=FEW), frame, progress=False)
    assert rerun(in_memory.run_id, None, False) == 65
    assert "was trained on a DataFrame" in capsys.readouterr().err
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    stranger = client.create_run(client.create_experiment("other", (tmp_path / "a").as_uri())).info.run_id
    assert rerun(stranger, None, False) == 64
    assert "has logged no spec.json" in capsys.readouterr().err
    assert rerun("0" * 32, None, False) == 64
    assert f"has no run {'0' * 32}" in capsys.readouterr().err


def test_the_verdict_names_what_differs() -> None:
    record = RunRecord(
        "1" * 32,
        "bc",
        "e",
        "FINISHED",
        metrics={"test_auc": 0.9, "val_auc": 0.8, "train_loss": 0.5},
        tags={"trainyard.torch": "2.14.0", "trainyard.python": "3.13.1"},
        model_sha256="a" * 64,
    )
    here = {"trainyard.torch": "2.15.0", "trainyard.python": "3.13.1"}
    same = judge(record, Result(metrics={"test_auc": 0.9, "val_auc": 0.8}, model_sha256="b" * 64), here)
    assert (same.identical, same.equal) == (False, True)
    assert [(d.name, d.before, d.now) for d in same.versions] == [("torch", "2.14.0", "2.15.0")]
    other = judge(record, Result(metrics={"test_auc": 0.91, "val_auc": 0.8}), here)
    assert not other.equal
    assert [(d.name, d.before, d.now) for d in other.metrics] == [("test_auc", "0.9", "0.91")]
    assert not judge(record, Result(), here).equal  # nothing measured is nothing repeated
