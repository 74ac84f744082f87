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
    """A TabNetClassifier that is about to be trained. Importance is off, as it is in ours."""

    def __init__(self, cell: Cell) -> None:
        warnings.filterwarnings("ignore")
        self.inputs, self.target = make_data(cell.rows)
        self.model = make(cell, self.inputs, self.target)
        self._loader, _ = self.model._construct_loaders(self.inputs, self.target, [])
        self._epoch = 0
        self._threads = {name: self._faster(name, cell) for name in ("epoch", "predict", "explain")}
        self.facts = {
            "data": digest(self.inputs, self.target),
            "rows": len(self._loader) * cell.batch,
            "parameters": sum(p.numel() for p in self.model.network.parameters()),
            "threads": self._threads,
        }

    def _faster(self, what: str, cell: Cell) -> int:
        """Give it the number of threads that it is faster with: in small steps a second one only costs."""
        few = max(cell.batch, 4096)
        loader, _ = self.model._construct_loaders(self.inputs[:few], self.target[:few], [])
        trials = {
            "epoch": lambda: self._run(loader),
            "predict": lambda: self._timed(self.model.predict_proba, self.inputs[:4096]),
            "explain": lambda: self._timed(self.model.explain, self.inputs[:4096]),
        }
        times = {}
        for threads in sorted({1, torch.get_num_threads()}):
            torch.set_num_threads(threads)
            trials[what]()
            times[threads] = min(trials[what]() for _ in range(2))
        torch.set_num_threads(max(times))
        return min(times, key=times.__getitem__)

    def epoch(self) -> float:
        """Seconds of one epoch: its callbacks, its loader, its steps."""
        torch.set_num_threads(self._threads["epoch"])
        return self._run(self._loader)

    def predict(self, rows: int) -> float:
        """Seconds to answer so many rows with probabilities."""
        torch.set_num_threads(self._threads["predict"])
        return self._timed(self.model.predict_proba, self.inputs[:rows])

    def explain(self, rows: int) -> float:
        """Seconds to explain so many rows; the masks of every step come too, it cannot do without."""
        torch.set_num_threads(self._threads["explain"])
        return self._timed(self.model.explain, self.inputs[:rows])

    def _run(self, loader: Any) -> float:
        self.model.network.train()
        callbacks = self.model._callback_container
        start = time.perf_counter()
        callbacks.on_epoch_begin(self._epoch)
        self.model._train_epoch(loader)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self._epoch += 1
        return time.perf_counter() - start

    @staticmethod
    def _timed(function: Any, rows: NDArray[np.float32]) -> float:
        start = time.perf_counter()
        function(rows)
        return time.perf_counter() - start


def table(**cell: Any) -> Peer:
    """A contestant."""
    return Peer(Cell(**cell))


def make(cell: Cell, inputs: NDArray[np.float32], target: NDArray[np.int64]) -> Any:
    """Set up the classifier as its `fit` does, with no epoch trained."""
    from pytorch_tabnet.tab_model import TabNetClassifier

    model = TabNetClassifier(n_d=cell.width, n_a=cell.width, n_steps=cell.steps, seed=1, verbose=0)
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
