"""Our trainer as a contestant: a manifest through the trainer's own stages, driven epoch by epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.cells import CLASSES, COLUMNS, Cell, digest, make_data
from trainyard.api.trainingjob import TrainingJob
from trainyard.local.attempt import local_attempt
from trainyard_model import Network, Predictor
from trainyard_trainer.assembly import assemble
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import Prepared, prepare
from trainyard_trainer.fit.loop import Epoch, Fitter
from trainyard_trainer.package.build import build_package
from trainyard_trainer.resolve import Job, resolve
from trainyard_trainer.threads import thread_count

_ENOUGH = 1_000_000


class Enough(Exception):  # noqa: N818 - not an error
    """Raised out of the loop when no more epochs are wanted."""


class Driven:
    """A job whose loop is run epoch by epoch."""

    def __init__(self, job: Job, folder: Path) -> None:
        import torch

        self.job, self.folder = job, folder
        table, notices = load(job.data, folder)
        self.data = prepare(table, job.data, notices)
        self.network: Network
        self.fitter: Fitter
        self.network, self.fitter = assemble(job, self.data)
        self._said: list[str] = []
        self.facts: dict[str, Any] = {
            "rows": self.fitter.steps * self.fitter.batch,
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "threads": {"epoch": max(torch.get_num_threads(), getattr(self.network, "workers", 1))},
        }

    def train(self, after_epoch: Callable[[Epoch], None]) -> None:
        """Run the loop until `after_epoch` raises Enough."""
        try:
            self.fitter.run(_Hooks(after_epoch, self._said))
        except Enough:
            return

    def notices(self) -> list[str]:
        """What the loop had to say: for one, that it does not compile."""
        return self._said


class Ours(Driven):
    """A network for a table, with gradients clipped at norm 1 as the peer does."""

    def __init__(self, cell: Cell, compiled: bool = False) -> None:
        inputs, target = make_data(cell.rows)
        folder = Path(mkdtemp(prefix="trainyard-bench-"))
        write_parquet(folder / "data.parquet", inputs, target)
        super().__init__(make_job(cell, folder / "data.parquet", compiled), folder)
        self._names = [f"c{i}" for i in range(COLUMNS)]
        self._raw = {name: inputs[:, i].astype(np.float64) for i, name in enumerate(self._names)}
        self._predictor: Predictor | None = None
        self.facts["data"] = digest(inputs, target)

    def predict(self, rows: int) -> float:
        """Seconds to answer so many raw rows with probabilities: encoding, network, softmax in float64."""
        return self._timed(self.predictor.scores, rows)

    def explain(self, rows: int) -> float:
        """Seconds to explain so many raw rows."""
        return self._timed(self.predictor.explain, rows)

    @property
    def predictor(self) -> Predictor:
        """The packaged network, read back as a server would."""
        if self._predictor is None:
            import torch

            torch.set_num_threads(thread_count())
            folder = self.folder / "package"
            self._predictor, _ = build_package(self.job.family, self.network, self.data, folder)
        return self._predictor

    def _timed(self, function: Callable[[Any], Any], rows: int) -> float:
        columns = {name: values[:rows] for name, values in self._raw.items()}
        start = time.perf_counter()
        function(columns)
        return time.perf_counter() - start


def table(**cell: Any) -> Ours:
    """A contestant."""
    return Ours(Cell(**cell))


def compiled(**cell: Any) -> Ours:
    """A contestant with `training.compile`."""
    return Ours(Cell(**cell), compiled=True)


class _Hooks:
    """The loop's hooks: nothing is saved, and nobody asks to stop."""

    def __init__(self, after_epoch: Callable[[Epoch], None], said: list[str]) -> None:
        self._after_epoch, self._said = after_epoch, said

    def stopping(self) -> bool:
        return False

    def epoch_done(self, epoch: Epoch) -> None:
        self._after_epoch(epoch)

    def save(self, state: object, epoch: int) -> None:
        return

    def say(self, text: str) -> None:
        self._said.append(text)
        print(text, flush=True)


def make_job(cell: Cell, file: Path, compiled: bool = False) -> Job:
    """Resolve a manifest as a person would write it for a cell."""
    model = {"nD": cell.width, "nA": cell.width, "nSteps": cell.steps, "virtualBatchSize": cell.virtual}
    manifest = {
        "apiVersion": "trainyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "bench"},
        "spec": {
            "model": {"tabnet": model},
            "data": {
                "source": {"uri": str(file)},
                "task": "Classification",
                "target": "target",
                "split": {"validation": 0, "test": 0},
            },
            "training": {
                "epochs": _ENOUGH,
                "batchSize": cell.batch,
                "gradientClipping": {"norm": 1.0},
                "checkpointing": {"intervalSeconds": 86400},
                "compile": compiled,
                "seed": 1,
            },
        },
    }
    attempt = local_attempt(TrainingJob.strict(manifest), "sqlite:///unused.db", "bench")
    return resolve(attempt)


def write_parquet(file: Path, inputs: np.ndarray[Any, Any], target: np.ndarray[Any, Any]) -> None:
    """One column for each feature, and the class as text."""
    columns = {f"c{i}": pa.array(inputs[:, i]) for i in range(inputs.shape[1])}
    words = pa.array([f"class {i}" for i in range(CLASSES)])
    columns["target"] = pa.DictionaryArray.from_arrays(pa.array(target.astype(np.int32)), words).cast(
        pa.string()
    )
    pq.write_table(pa.table(columns), file)


def prepared(cell: Cell, folder: Path) -> tuple[Job, Prepared]:
    """A job and its data, for what needs no loop."""
    file = folder / "data.parquet"
    write_parquet(file, *make_data(cell.rows))
    job = make_job(cell, file)
    table, notices = load(job.data, folder)
    return job, prepare(table, job.data, notices)
