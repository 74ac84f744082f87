"""The gate before any claim of speed: pytorch-tabnet's network taken over, and both trained on the same rows.

Virtual batches hold the same rows in both: theirs are contiguous, ours interleaved, so ours get the batch in
the order that makes them the same. Batches come unshuffled, one after the other.

Both work in float64, with plain gradient descent and clipped gradients. As they are used (float32, Adam) the
first losses agree to 1e-6, but Adam turns gradients near zero into whole steps of either sign, so that
rounding alone grows tenfold a step and drives any two orders of a sum apart: a real difference could hide.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.benchmarks import peer
from tests.benchmarks.cells import Cell, make_data
from tests.benchmarks.ours import make_job
from tests.benchmarks.report import Row, at_most
from trainyard_model import Batch
from trainyard_model.families.tabnet import TabNet
from trainyard_model.families.tabnet.ghost_norm import chunk_order
from trainyard_trainer.fit.settings import OptimizerSettings
from trainyard_trainer.fit.step import Stepper
from trainyard_trainer.package.pytorch_tabnet import read_pytorch_tabnet

CELLS = (Cell(20_480, 8, 3, 1024, 128), Cell(8_192, 64, 5, 2048, 512))
STEPS, RATE = 20, 0.001


class CrossEntropy:
    """The trainer's loss without its step to float32."""

    def rows(self, outputs: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(outputs, target, reduction="none")

    def divisor(self, target: Tensor, weight: Tensor | None) -> float:
        return len(target)

    def __call__(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        return cross_entropy(outputs, target)


def rows() -> Iterator[Row]:
    """A small and a large network."""
    torch.set_num_threads(1)
    for cell in CELLS:
        inputs, target = make_data(cell.rows)
        model = peer.make(cell, inputs, target)
        model.device = torch.device("cpu")
        model.network.to("cpu")
        ours = _imported(model, cell).double()
        encoder = model.network.double().tabnet.encoder
        encoder.group_attention_matrix = encoder.group_attention_matrix.double()
        with _double_constants():
            yield from _same_answers(cell, "before training", model, ours, inputs)
            theirs, own = _trained(cell, model, ours, inputs, target)
        worst = max(abs(a - b) for a, b in zip(theirs, own, strict=True))
        note = f"loss of the last: {theirs[-1]:.6f} and {own[-1]:.6f}"
        yield at_most(f"equality, loss of {STEPS} steps, {cell.name}", worst, "", 1e-3, note)
        with _double_constants():
            yield from _same_answers(cell, "after training", model, ours, inputs)


def _imported(model: Any, cell: Cell) -> TabNet:
    with tempfile.TemporaryDirectory(prefix="trainyard-bench-") as folder:
        with contextlib.redirect_stdout(sys.stderr):
            file = model.save_model(str(Path(folder) / "peer"))
        return read_pytorch_tabnet(Path(file), cell.virtual).network


def _same_answers(cell: Cell, when: str, model: Any, ours: TabNet, inputs: np.ndarray) -> Iterator[Row]:
    """Outputs and explanations in evaluation mode."""
    few = torch.from_numpy(inputs[:2048]).double()
    codes = torch.empty(len(few), 0, dtype=torch.int64)
    model.network.eval()
    ours.eval()
    with torch.no_grad():
        outputs = _difference(model.network(few)[0], ours.outputs(few, codes))
        explained = _difference(model.network.forward_masks(few)[0], ours.explain(few, codes))
    worst = max(outputs, explained)
    yield at_most(
        f"equality, answers {when}, {cell.name}",
        worst,
        "",
        1e-5,
        f"largest relative difference: outputs {outputs:.1e}, explanations {explained:.1e}",
    )


def _difference(theirs: Tensor, ours: Tensor) -> float:
    """The largest, relative to the largest value: theirs adds explanations up in float32."""
    return ((theirs - ours).abs().max() / theirs.abs().max()).item()


def _trained(
    cell: Cell, model: Any, ours: TabNet, inputs: np.ndarray, target: np.ndarray
) -> tuple[list[float], list[float]]:
    """Losses of the same steps in both."""
    fit = make_job(cell, Path("-")).fit
    fit = replace(fit, optimizer=OptimizerSettings(name="sgd", learning_rate=RATE))
    stepper = Stepper(ours.train(), CrossEntropy(), fit, torch.device("cpu"))
    model._optimizer = torch.optim.SGD(model.network.parameters(), lr=RATE)
    order = torch.argsort(chunk_order(ours.cuts(cell.batch)))
    model.network.train()
    theirs, own = [], []
    for x, y in _batches(cell, inputs, target):
        theirs.append(_their_step(model, x, y))
        codes = torch.empty(len(x), 0, dtype=torch.int64)
        own.append(float(stepper(Batch((x[order], codes), y[order]), torch.Generator())))
    return theirs, own


def _their_step(model: Any, x: Tensor, y: Tensor) -> float:
    """Do what their `_train_batch` does, which would make float32 of the rows."""
    for parameter in model.network.parameters():
        parameter.grad = None
    output, entropy = model.network(x)
    loss = model.compute_loss(output, y) - model.lambda_sparse * entropy
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.network.parameters(), model.clip_value)
    model._optimizer.step()
    return float(loss.detach())


@contextlib.contextmanager
def _double_constants() -> Iterator[None]:
    """Their root of one half is a FloatTensor made in every forward pass; make it as exact as ours."""
    single = torch.FloatTensor
    torch.FloatTensor = torch.DoubleTensor
    try:
        yield
    finally:
        torch.FloatTensor = single


def _batches(cell: Cell, inputs: np.ndarray, target: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
    x, y = torch.from_numpy(inputs).double(), torch.from_numpy(target)
    for step in range(STEPS):
        start = step * cell.batch % (len(x) - cell.batch + 1)
        yield x[start : start + cell.batch], y[start : start + cell.batch]
