"""pytorch-tabnet 4.1.0 as a contestant: its own classes and loops, unchanged, driven epoch by epoch."""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tests.benchmarks.cells import CLASSES, Cell, digest, make_data


class Peer:
    """A fitted-to-be TabNetClassifier. Importance is off, as it is in ours."""

    def __init__(self, cell: Cell) -> None:
        warnings.filterwarnings("ignore")
        self.inputs, self.target = make_data(cell.rows)
        self.model = make(cell, self.inputs, self.target)
        self._loader, _ = self.model._construct_loaders(self.inputs, self.target, [])
        self._epoch = 0
        self.facts = {
            "data": digest(self.inputs, self.target),
            "rows": len(self._loader) * cell.batch,
            "parameters": sum(p.numel() for p in self.model.network.parameters()),
            "threads": self._threads(cell),
        }

    def _threads(self, cell: Cell) -> int:
        """Give it the number of threads that it is faster with: small steps lose by a second one."""
        few = np.arange(min(len(self.inputs), 4 * cell.batch))
        loader, _ = self.model._construct_loaders(self.inputs[few], self.target[few], [])
        times = {}
        for threads in sorted({1, torch.get_num_threads()}):
            torch.set_num_threads(threads)
            self._run(loader)
            times[threads] = min(self._run(loader) for _ in range(2))
        best = min(times, key=times.__getitem__)
        torch.set_num_threads(best)
        return best

    def epoch(self) -> float:
        """Seconds of one epoch: its callbacks, its loader, its steps."""
        return self._run(self._loader)

    def _run(self, loader: Any) -> float:
        callbacks = self.model._callback_container
        start = time.perf_counter()
        callbacks.on_epoch_begin(self._epoch)
        self.model._train_epoch(loader)
        _settle()
        seconds = time.perf_counter() - start
        self._epoch += 1
        return seconds

    def predict(self, rows: int) -> float:
        """Seconds to answer so many rows with probabilities."""
        start = time.perf_counter()
        self.model.predict_proba(self.inputs[:rows])
        return time.perf_counter() - start

    def explain(self, rows: int) -> float:
        """Seconds to explain so many rows: (rows, columns) and the masks of every step, which it always gives."""
        start = time.perf_counter()
        self.model.explain(self.inputs[:rows])
        return time.perf_counter() - start


def make(cell: Cell, inputs: NDArray[np.float32], target: NDArray[np.int64], **other: Any) -> Any:
    """Set up the classifier as its `fit` does, with no epoch trained."""
    from pytorch_tabnet.tab_model import TabNetClassifier

    arguments: dict[str, Any] = {
        "n_d": cell.width,
        "n_a": cell.width,
        "n_steps": cell.steps,
        "seed": 1,
    } | other
    model = TabNetClassifier(verbose=0, **arguments)
    with contextlib.redirect_stdout(sys.stderr):
        model.fit(
            inputs,
            target,
            max_epochs=0,
            batch_size=cell.batch,
            virtual_batch_size=cell.virtual,
            drop_last=True,
            compute_importance=False,
        )
    if model.output_dim != CLASSES:
        raise ValueError(f"{model.output_dim} classes in the generated data, {CLASSES} expected")
    return model


def _settle() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
