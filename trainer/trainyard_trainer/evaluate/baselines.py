"""What a model must beat: the most frequent answer, and a linear model on the same rows.

The linear model is the family `mlp` with 0 layers, fitted to all training rows at once by L-BFGS with the
penalty that scikit-learn's LogisticRegression and Ridge have by default (strength 1 over all rows).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from trainyard_model import FAMILIES, Batch, Network, Shape
from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.fit.feed import DevicePart
from trainyard_trainer.fit.losses import make_loss
from trainyard_trainer.fit.optimizers import undecorated

LINEAR, MAJORITY = "baseline", "majority"
FAMILY = "mlp"
MOST_ROWS = 100_000
_ROUNDS, _ITERATIONS = 20, 10
_SECONDS = 15.0
_ENOUGH = 1e-5


def constant_scores(data: Prepared, rows: int) -> NDArray[np.float64]:
    """Scores of a model that knows only the training target: shares of classes, or means of values."""
    target, weights = data.target.values[data.rows.train], None
    if data.weights is not None:
        weights = data.weights[data.rows.train]
    if data.target.task == "Classification":
        counts = np.bincount(target.astype(np.int64), weights, minlength=len(data.target.classes))
        one = counts / counts.sum()
    else:
        one = np.average(target.astype(np.float64), axis=0, weights=weights)
    return np.tile(one, (rows, 1))


def sample(train: DevicePart, seed: int, most: int = MOST_ROWS) -> Batch:
    """The training rows in random order, or so many of them."""
    generator = torch.Generator(train.target.device).manual_seed(seed)
    rows = torch.randperm(len(train), generator=generator, device=train.target.device)
    return train.gather(rows[:most])


def fit_linear(
    data: Prepared, batch: Batch, shape: Shape, seed: int, stopping: Callable[[], bool]
) -> Network:
    """The linear model of some training rows, as numbers and categories of a shape.

    Full-batch, so neither batch size nor learning rate had to be chosen. It ends when it no longer gets
    better, after 200 iterations or 15 seconds, or when `stopping`.
    """
    family, device = FAMILIES[FAMILY], batch.target.device
    settings = family.settings(layers=0)
    network = family.build(family.config(settings, shape)).to(device)
    generator = torch.Generator(device).manual_seed(seed)
    loss = make_loss(data.target.task, None, 0.0)
    strength = _strength(data) / len(batch.target)
    penalised = [p for name, p in network.named_parameters() if "bias" not in name]
    optimizer = undecorated(torch.optim.LBFGS)(
        network.parameters(), max_iter=_ITERATIONS, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = network.training_loss(batch, loss, generator)
        value = value + strength * torch.stack([p.square().sum() for p in penalised]).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    deadline, before = time.monotonic() + _SECONDS, float("inf")
    network.train()
    for _ in range(_ROUNDS):
        value = optimizer.step(torch.enable_grad()(closure)).item()
        if stopping() or time.monotonic() > deadline or before - value < _ENOUGH * max(1.0, abs(value)):
            break
        before = value
    return network.eval()


def _strength(data: Prepared) -> float:
    """Of the squared weights beside a mean loss: scikit-learn halves the penalty of its logistic model.

    With two classes it has one vector of weights where we have two of half its length each, which together
    weigh half as much.
    """
    return 0.5 if len(data.target.classes) > 2 else 1.0
