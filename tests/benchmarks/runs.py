"""Manifests trained the way users train them: `trainyard.run`, with MLflow in a file, in a scratch folder."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import trainyard
from tests.benchmarks.report import ROOT, progress
from trainyard.api.trainingjob import TrainingJob
from trainyard.local.attempt import local_attempt
from trainyard.local.manifest import read_training_job
from trainyard_trainer.data.load import load
from trainyard_trainer.data.settings import DataSettings
from trainyard_trainer.data.table import Table
from trainyard_trainer.resolve import resolve

SEEDS = (1, 2, 3)
MANIFESTS = Path(__file__).parent / "manifests"
DATA = Path(os.environ.get("TRAINYARD_DATA") or ROOT.parent / "shared" / "data").resolve()
_SHOWN = {f"{part}_{name}" for part in ("test", "oof") for name in ("accuracy", "roc_auc", "r2")}
NO_DATA = "no data here: set TRAINYARD_DATA (see docs/benchmarks.md)"


@dataclass(frozen=True)
class Trained:
    """One training."""

    result: trainyard.Result
    seconds: float

    def __getitem__(self, metric: str) -> float:
        return self.result.metrics[metric]


def manifest(name: str, seed: int, *changes: str) -> TrainingJob:
    """Read a manifest with the seed, and without what only costs time here (intervals, baseline rows).

    Args:
        name: File in manifests/, without its ending.
        seed: Of the split, of the weights and of the order of rows.
        changes: More PATH=VALUE.
    """
    always = ("training.evaluation.baseline=false", "training.evaluation.bootstrapSamples=0")
    seeds = (f"training.seed={seed}", f"data.split.seed={seed}")
    return read_training_job(MANIFESTS / f"{name}.yaml", [*always, *seeds, *changes])


def train(name: str, seed: int, *changes: str) -> Trained:
    """Train a manifest."""
    job = manifest(name, seed, *changes)
    start = time.monotonic()
    result = trainyard.run(job, tracking_uri=_tracking(), progress=False)
    seconds = time.monotonic() - start
    shown = {k: round(v, 4) for k, v in result.metrics.items() if k in _SHOWN}
    progress(f"    {name} seed {seed}: {seconds:.1f} s, best epoch {result.best_epoch}, {shown}")
    return Trained(result, seconds)


def data_of(name: str, seed: int, *changes: str) -> tuple[Table, list[str], DataSettings]:
    """Load the data that a manifest trains on, for a peer."""
    settings = resolve(local_attempt(manifest(name, seed, *changes), _tracking(), "bench")).data
    table, notices = load(settings, _scratch())
    return table, notices, settings


@cache
def _scratch() -> Path:
    """Work where nothing is left behind in the repository."""
    folder = Path(tempfile.mkdtemp(prefix="trainyard-bench-"))
    os.chdir(folder)
    return folder


def _tracking() -> str:
    return f"sqlite:///{_scratch() / 'mlflow.db'}"
