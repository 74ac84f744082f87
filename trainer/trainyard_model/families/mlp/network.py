"""The multi-layer perceptron, and its case of no layers: a linear model.

Nothing couples the rows of a batch, so a row of weight 0 is a row that is not there.
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...embedding import MISSING, PackedEmbedding, drop_categories
from ..attribution import integrated_gradients, log_odds
from ..base import Batch, Loss, Network
from ..dropout import drop
from .config import MLPConfig
from .ensemble import Heads, SharedLinear, combine

_HIDDEN_CATEGORIES = 0.02  # so that the codes of gaps and unseen values are trained where the data have none
_POINTS = 16
_CELLS = 2**21  # numbers of a layer's output in a slice: 8 MiB


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
        """Logits or standardised values."""
        parts = [self.answer(self.embed(*part)) for part in self._slices(*inputs)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def answer(self, x: Tensor) -> Tensor:
        """Outputs (rows, outputs) from what `embed` gives."""
        return combine(self.members(x), self.config.classification)

    def training_loss(self, batch: Batch, loss: Loss, generator: torch.Generator) -> Tensor:
        """The mean of the members' losses."""
        parts = list(self._parts(batch, loss, generator))
        return parts[0] if len(parts) == 1 else torch.stack(parts).sum()

    def backward(self, batch: Batch, loss: Loss, generator: torch.Generator) -> Tensor:
        """Gradients of `training_loss`, slice by slice: memory does not grow with the batch."""
        total = batch.target.new_zeros((), dtype=torch.float32)
        for part in self._parts(batch, loss, generator):
            part.backward()  # type: ignore[no-untyped-call]
            total = total + part.detach()
        return total

    def _parts(self, batch: Batch, loss: Loss, generator: torch.Generator) -> Iterator[Tensor]:
        """What each slice adds to the loss of the batch."""
        divisor = loss.divisor(batch.target, batch.weight) * self.config.heads
        tensors = [*batch.inputs, batch.target, *([] if batch.weight is None else [batch.weight])]
        for numeric, codes, target, *weight in self._slices(*tensors):
            if codes.shape[1] and self.config.layers:
                codes = drop_categories(codes, _HIDDEN_CATEGORIES, generator)
            out = self.members(self.embed(numeric, codes), generator)
            repeated = target.expand(len(out), *target.shape).flatten(0, 1)
            rows = loss.rows(out.flatten(0, 1), repeated).view(len(out), -1).sum(0)
            yield (rows * weight[0] if weight else rows).sum() / divisor

    def _slices(self, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Rows in slices that keep all members' activations small."""
        rows = max(1, _CELLS // (self.config.heads * self.config.width))
        return zip(*(torch.split(tensor, rows) for tensor in tensors), strict=True)

    def explain(self, *inputs: Tensor) -> Tensor:
        """Integrated gradients from a row of means and missing categories: signed, (rows, features).

        Of the log-odds of the positive class, of the likeliest where there are more than two, or of the
        standardised value (their sum where there are several targets).
        """
        return torch.cat([self._attributions(*part) for part in self._slices(*inputs)])

    @torch.no_grad()
    def _attributions(self, numeric: Tensor, codes: Tensor) -> Tensor:
        x, config = self.embed(numeric, codes), self.config
        nothing = self.embed(torch.zeros_like(numeric[:1]), torch.full_like(codes[:1], MISSING))
        chosen = torch.ones(len(x), dtype=torch.long, device=x.device)
        if config.outputs > 2:
            chosen = self.answer(x).argmax(1)

        def judged(point: Tensor, rows: Tensor) -> Tensor:
            out = self.answer(point)
            return log_odds(out, chosen[rows]) if config.classification else out.sum(1)

        found = integrated_gradients(judged, x, nothing, _POINTS if config.layers else 1)
        spans = torch.tensor(config.spans, device=x.device)
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
        found = found + categories.view(len(x), len(self.config.widths), self.config.outputs).sum(1)
        return found[None]


class MLP(_Columns):
    """Layers of linear map, ReLU and dropout; residual from the second on, over a normalised input."""

    def __init__(self, config: MLPConfig) -> None:
        super().__init__(config)
        inputs, heads = sum(config.spans), config.heads
        sizes = [inputs, *[config.width] * (config.layers - 1)]
        self.hidden = nn.ModuleList(
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
        for i, layer in enumerate(self.hidden):
            carried = x
            if i and residual:
                x = functional.layer_norm(x, width)
            x = functional.relu(layer(x), inplace=True)
            if generator is not None and self.config.dropout > 0.0:
                x = drop(x, self.config.dropout, generator)
            if i and residual:
                x = x + carried
        found: Tensor = self.head(x)
        return found if found.ndim == 3 else found[None]


def build(config: MLPConfig) -> Network:
    """The network of a configuration."""
    return MLP(config) if config.layers else Linear(config)
