"""`trainyard run` as people meet it: what it refuses, and what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.trainer.jobs import spec, store
from trainyard.api.base import InvalidManifest
from trainyard.local.manifest import read_training_job

HEAD = {"apiVersion": "trainyard.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "bc"}}


def manifest(folder: Path, **changes: object) -> Path:
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump({**HEAD, "spec": spec(**changes)}))
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "job.yaml is not YAML"),
        ("kind: Study\n", "no manifest of a TrainingJob: it holds Study"),
        ("just text\n", "it has no kind"),
        ("kind: TrainingJob\n---\nkind: TrainingJob\n", "holds 2 TrainingJobs"),
    ],
)
def test_files_that_are_no_manifest(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(content)
    with pytest.raises(InvalidManifest, match=message):
        read_training_job(path, [])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epoch=3", "spec.training.epoch: no such field"),
        ("training.epochs=0", "spec.training.epochs: Input should be greater than or equal to 1"),
        ("training.epochs", "write PATH=VALUE"),
        ("model.tabnet[0].nD=3", "the manifest has no such place"),
    ],
)
def test_overrides_that_cannot_be(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match=message):
        read_training_job(manifest(tmp_path), [override])


def test_overrides(tmp_path: Path) -> None:
    changed = read_training_job(
        manifest(tmp_path),
        ["training.epochs=3", "spec.training.optimizer.name=sgd", "data.columns.drop=[a, b]"],
    )
    assert changed.spec.training.epochs == 3
    assert changed.spec.training.optimizer.name == "sgd"
    assert changed.spec.data.columns is not None
    assert changed.spec.data.columns.drop == ("a", "b")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trainyard", "run", *arguments],
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_a_run_ends_with_metrics_and_the_next_commands(mlflow_template: Path, tmp_path: Path) -> None:
    store(mlflow_template, tmp_path)
    finished = run(tmp_path, str(manifest(tmp_path)), "--set", "training.epochs=2")
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    for expected in (
        "roc_auc",
        "mlflow ui --backend-store-uri sqlite:///mlflow.db",
        "http://127.0.0.1:5000/#/experiments/1/runs/",
        'model = trainyard.load("models:/m-',
        "trainyard compare bc",
    ):
        assert expected in finished.stdout
    assert (tmp_path / "mlruns").is_dir()
    assert list((tmp_path / "cache" / "trainyard" / "runs").glob("*/")) == []
