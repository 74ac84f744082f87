"""The multi-layer perceptron, and its case of no layers: a linear model.

Nothing couples the rows of a batch, so a row of weight 0 is a row that is not there.
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...embedding import MISSING, PackedEmbedding, drop_categories
from ..base import Batch, Loss, Network
from .attribution import integrated_gradients, log_odds
from .config import MLPConfig
from .ensemble import Heads, SharedLinear, combine

_HIDDEN_CATEGORIES = 0.02
_STEPS = 32
_CELLS = 2**21


class _Columns(Network):
    """Columns to numbers, members' outputs to answers; what lies between is the subclasses'."""

    config: MLPConfig

    def __init__(self, config: MLPConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = (
            PackedEmbedding(config.cardinalities, config.widths) if config.cardinalities else None
        )

    @abstractmethod
    def members(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Outputs of every member (members, rows, outputs) from (rows, inputs); dropout by the generator."""

    def embed(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """Numeric columns first, then every embedding."""
        if self.embedding is None:
            return numeric
        return torch.cat([numeric, self.embedding(codes)], 1)

    def outputs(self, *inputs: Tensor) -> Tensor:
        """Logits or standardised values, in slices that stay small however many members there are."""
        rows = max(1, _CELLS // (self.config.heads * self.config.width))
        parts = [
            combine(self.members(self.embed(*part)), self.config.classification)
            for part in zip(*(torch.split(tensor, rows) for tensor in inputs), strict=True)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def training_loss(self, batch: Batch, loss: Loss, generator: torch.Generator) -> Tensor:
        """The mean of the members' losses."""
        numeric, codes = batch.inputs
        if codes.shape[1] and self.config.layers:
            codes = drop_categories(codes, _HIDDEN_CATEGORIES, generator)
        out = self.members(self.embed(numeric, codes), generator)
        if len(out) == 1:
            return loss(out[0], batch.target, batch.weight)
        target = batch.target.repeat(len(out), *[1] * (batch.target.ndim - 1))
        weight = None if batch.weight is None else batch.weight.repeat(len(out))
        return loss(out.flatten(0, 1), target, weight)

    def explain(self, *inputs: Tensor) -> Tensor:
        """Integrated gradients from a row of means and missing categories: signed, (rows, features).

        Of the log-odds of the positive class, of the likeliest where there are more than two, or of the
        standardised value (their sum where there are several targets).
        """
        with torch.no_grad():
            x = self.embed(*inputs)
            nothing = self.embed(torch.zeros_like(inputs[0][:1]), torch.full_like(inputs[1][:1], MISSING))
            answer = combine(self.members(x), self.config.classification)
        chosen = torch.ones_like(answer[:, 0], dtype=torch.long) if answer.shape[1] == 2 else answer.argmax(1)

        def judged(point: Tensor) -> Tensor:
            out = combine(self.members(point), self.config.classification)
            return log_odds(out, chosen) if self.config.classification else out.sum(1)

        found = integrated_gradients(judged, x, nothing, _STEPS if self.config.layers else 1)
        spans = torch.tensor(self.config.spans, device=x.device)
        column = torch.arange(len(spans), device=x.device).repeat_interleave(spans)
        return found.new_zeros(len(found), len(spans)).index_add_(1, column, found)


class Linear(_Columns):
    """Linear or logistic regression: a coefficient for each number and each category, all begun at 0.

    A category never seen keeps the coefficient 0.
    """

    def __init__(self, config: MLPConfig) -> None:
        super().__init__(config)
        self.weight = nn.Parameter(torch.zeros(config.outputs, config.numeric))
        self.bias = nn.Parameter(torch.zeros(config.outputs))
        if self.embedding is not None:
            nn.init.zeros_(self.embedding.table)

    def members(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One member."""
        numeric, categories = x.tensor_split([self.config.numeric], 1)
        found = functional.linear(numeric, self.weight, self.bias)
        found = found + categories.view(len(x), -1, self.config.outputs).sum(1)
        return found[None]


class MLP(_Columns):
    """Layers of linear map, ReLU and dropout; residual from the second on, over a normalised input."""

    def __init__(self, config: MLPConfig) -> None:
        super().__init__(config)
        inputs, heads = sum(config.spans), config.heads
        sizes = [inputs, *[config.width] * (config.layers - 1)]
        self.layers = nn.ModuleList(
            nn.Linear(size, config.width)
            if heads == 1
            else SharedLinear(size, config.width, heads, first=i == 0)
            for i, size in enumerate(sizes)
        )
        self.head = (
            nn.Linear(config.width, config.outputs)
            if heads == 1
            else Heads(config.width, config.outputs, heads)
        )

    def members(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """All members at once."""
        residual, width = self.config.residual, (self.config.width,)
        for i, layer in enumerate(self.layers):
            carried = x
            if i and residual:
                x = functional.layer_norm(x, width)
            x = functional.relu(layer(x))
            if generator is not None and self.config.dropout > 0.0:
                x = drop(x, self.config.dropout, generator)
            if i and residual:
                x = x + carried
        found: Tensor = self.head(x)
        return found if found.ndim == 3 else found[None]


def drop(x: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Dropout by a given generator, which a resumed training can put back where it was."""
    kept = torch.empty_like(x).bernoulli_(1.0 - probability, generator=generator)
    return x * kept.mul_(1.0 / (1.0 - probability))


def build(config: MLPConfig) -> Network:
    """The network of a configuration."""
    return MLP(config) if config.layers else Linear(config)
