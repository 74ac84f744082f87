"""`trainyard compare`: what differs, what may be compared, and what may be concluded from it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainer.jobs import store
from trainyard.cli.compare import Output
from trainyard.cli.compare import compare as command
from trainyard.local.comparison import Measured, compare, overlap_note
from trainyard.local.runs import RunRecord

HOLDOUT = "trainyard.holdoutDigest"


def record(number: int, auc: float, bounds: tuple[float, float] | None = None, **changes: Any) -> RunRecord:
    test = {"roc_auc": {"value": auc, **({"low": bounds[0], "high": bounds[1]} if bounds else {})}}
    fields: dict[str, Any] = {
        "params": {"training.epochs": "3", "training.optimizer.learningRate": str(number / 100)},
        "metrics": {"test_roc_auc": auc, "test_log_loss": 1 - auc, "val_roc_auc": auc, "train_loss": 0.1},
        "tags": {"trainyard.dataDigest": "d", HOLDOUT: "h", "trainyard.rows": "569"},
        "evaluation": {"metric": "val_roc_auc", "test": test},
        "status": "FINISHED",
        "seconds": 1.0,
        **changes,
    }
    return RunRecord(str(number) * 32, f"run-{number}", "e", **fields)


def test_only_what_differs_is_a_difference() -> None:
    found = compare([record(1, 0.9), record(2, 0.8)])
    assert found.parameters == {"training.optimizer.learningRate": ("0.01", "0.02")}
    assert found.data == {}
    assert found.deciding == "test_roc_auc"
    assert [row.name for row in found.metrics] == ["test_log_loss", "test_roc_auc", "val_roc_auc"]


def test_the_best_is_the_smaller_loss_and_the_larger_area() -> None:
    found = {row.name: row for row in compare([record(1, 0.8), record(2, 0.9)]).metrics}
    assert (found["test_roc_auc"].best, found["test_log_loss"].best) == (1, 1)


@pytest.mark.parametrize(
    ("bounds", "overlaps", "says"),
    [
        ((0.85, 0.95), (1,), "overlaps that of 22222222: it may be chance"),
        ((0.71, 0.79), (), "no interval overlaps its own"),
    ],
)
def test_overlap_of_intervals_is_said(
    bounds: tuple[float, float], overlaps: tuple[int, ...], says: str
) -> None:
    found = compare([record(1, 0.92, (0.88, 0.96)), record(2, sum(bounds) / 2, bounds)])
    row = next(row for row in found.metrics if row.name == "test_roc_auc")
    assert row.values[0] == Measured(0.92, (0.88, 0.96))
    assert (row.best, row.overlaps) == (0, overlaps)
    assert says in overlap_note(found, row)


def test_without_intervals_nothing_is_claimed() -> None:
    found = compare([record(1, 0.92), record(2, 0.91)])
    assert "not known by more than chance" in overlap_note(found, found.metrics[1])


def test_equal_values_have_no_best_one() -> None:
    found = compare([record(1, 0.9), record(2, 0.9)])
    assert {row.best for row in found.metrics} == {None}
    assert overlap_note(found, found.metrics[1]) == "test_roc_auc is equal in all of them"


def test_other_hold_out_rows_mean_no_best_test_metric() -> None:
    found = compare([record(1, 0.9), record(2, 0.8, tags={"trainyard.dataDigest": "d", HOLDOUT: "other"})])
    assert all(row.best is None for row in found.metrics)
    assert found.data[HOLDOUT] == ("h", "other")
    assert found.data["trainyard.rows"] == ("569", None)
    assert "not comparable: the runs were tested on different rows" in found.warnings[0]


def test_more_training_rows_on_the_same_hold_out_may_be_compared() -> None:
    found = compare([record(1, 0.9), record(2, 0.8, tags={"trainyard.dataDigest": "more", HOLDOUT: "h"})])
    best = {row.name: row.best for row in found.metrics}
    assert best == {"test_roc_auc": 0, "test_log_loss": 0, "val_roc_auc": None}
    assert "different data, and tested on the same rows" in found.warnings[0]


def test_a_run_without_a_hold_out_is_compared_with_none() -> None:
    found = compare([record(1, 0.9, tags={}), record(2, 0.8, tags={})])
    assert {row.name: row.best for row in found.metrics if row.name.startswith("test_")} == {
        "test_roc_auc": None,
        "test_log_loss": None,
    }


@pytest.fixture
def logged(mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two runs of an experiment `bc` in this folder's own store; their ids, the older first."""
    monkeypatch.chdir(tmp_path)
    uri = store(mlflow_template, tmp_path)
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.create_experiment("bc", artifact_location=(tmp_path / "mlruns").as_uri())
    ids = []
    for number, one in enumerate([record(1, 0.92, (0.88, 0.96)), record(2, 0.9, (0.85, 0.95))]):
        run = client.create_run(
            experiment, start_time=1000 * (number + 1), tags=dict(one.tags), run_name=one.name
        )
        ids.append(run.info.run_id)
        for name, text in one.params.items():
            client.log_param(ids[-1], name, text)
        for metric, value in one.metrics.items():
            client.log_metric(ids[-1], metric, value)
        client.log_dict(ids[-1], dict(one.evaluation or {}), "evaluation.json")
        client.set_terminated(ids[-1], "FINISHED", end_time=1000 * (number + 1) + 1500)
    return ids


def test_a_table_for_people(logged: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["bc"], None, Output.TABLE, 5, False) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 110  # the last line is a sentence and may be long
    assert [run[:8] in lines[0] for run in logged] == [True, True]
    assert lines[1].split() == ["run-1", "run-2"]
    assert "1.5 s" in out
    assert "0.9200 * [0.880, 0.960]" in out
    assert "val_roc_auc" not in out
    assert "it may be chance" in lines[-1]


def test_csv_and_json_hold_everything(logged: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(logged, None, Output.CSV, 5, False) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["run"] for row in rows] == logged
    assert [row["training.optimizer.learningRate"] for row in rows] == ["0.01", "0.02"]
    assert (rows[1]["test_roc_auc"], rows[1]["test_roc_auc_low"]) == ("0.9", "0.85")
    assert command([logged[1], "bc"], None, Output.JSON, 5, False) == 0
    body = json.loads(capsys.readouterr().out)
    assert [run["id"] for run in body["runs"]] == [logged[1], logged[0]]  # each once, as first named
    row = next(row for row in body["metrics"] if row["name"] == "test_roc_auc")
    assert (row["best"], row["overlaps"]) == (1, [0])
    assert row["values"][0] == {"value": 0.9, "interval": [0.85, 0.95]}


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["bcc"], "has no experiment 'bcc'; did you mean 'bc'?"),
        (["0" * 32], f"has no run {'0' * 32}"),
        ([0], "there is one run only"),
    ],
)
def test_what_cannot_be_compared(
    names: list[Any], says: str, logged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command([logged[n] if n == 0 else n for n in names], None, Output.TABLE, 5, False) == 64
    err = " ".join(capsys.readouterr().err.split())
    assert says in err
    assert "what to do:" in err


def test_no_store_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["bc"], None, Output.TABLE, 5, False) == 64
    assert "there is no mlflow.db in this folder" in capsys.readouterr().err
    assert not (tmp_path / "mlflow.db").exists()
