"""TabNet (Arik and Pfister, arXiv 1908.07442), numerically the network of pytorch-tabnet 4.1.0.

Same initialisation, scaling, prior update and sparsity term; only the way it is computed differs (ghost batch
normalisation in one call, one embedding gather, no constants moved between devices inside a step).
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...embedding import PackedEmbedding, drop_categories
from ..base import Batch, Loss, Network
from .config import TabNetConfig
from .ghost_norm import GhostBatchNorm, virtual_batches
from .sparsemax import MASKS

_SCALE = math.sqrt(0.5)
_EPSILON = 1e-15


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.xavier_normal_(layer.weight, gain=gain)
    return layer


def _glu_linear(inputs: int, outputs: int) -> nn.Linear:
    return _linear(inputs, outputs, math.sqrt((inputs + outputs) / math.sqrt(inputs)))


def _plain_linear(inputs: int, outputs: int) -> nn.Linear:
    return _linear(inputs, outputs, math.sqrt((inputs + outputs) / math.sqrt(4 * inputs)))


class FeatureTransformer(nn.Module):
    """Gated linear units: the shared layers (weights of all steps, norms of this one), then its own."""

    def __init__(self, config: TabNetConfig, shared: nn.ModuleList) -> None:
        super().__init__()
        hidden = config.n_d + config.n_a
        first = hidden if len(shared) else config.inputs
        self.own = nn.ModuleList(
            _glu_linear(first if i == 0 else hidden, 2 * hidden) for i in range(config.n_independent)
        )
        self.norms = nn.ModuleList(
            GhostBatchNorm(2 * hidden, config.virtual_batch_size, config.momentum)
            for _ in range(len(shared) + config.n_independent)
        )

    def forward(self, x: Tensor, shared: nn.ModuleList) -> Tensor:
        """From the (masked) features to n_d + n_a numbers a row."""
        for i, (layer, norm) in enumerate(zip([*shared, *self.own], self.norms, strict=True)):
            gated = functional.glu(norm(layer(x)), dim=1)
            x = gated if i == 0 else (x + gated) * _SCALE
        return x


class AttentiveTransformer(nn.Module):
    """Scores for the mask of a step, before the prior."""

    def __init__(self, config: TabNetConfig) -> None:
        super().__init__()
        self.layer = _plain_linear(config.n_a, config.features)
        self.norm = GhostBatchNorm(config.features, config.virtual_batch_size, config.momentum)

    def forward(self, attention: Tensor) -> Tensor:
        """One score per feature."""
        scores: Tensor = self.norm(self.layer(attention))
        return scores


class TabNet(Network):
    """Logits (or values) and the sparsity term from numeric columns and category codes."""

    config: TabNetConfig
    spread: Tensor | None
    share: Tensor | None

    def __init__(self, config: TabNetConfig) -> None:
        super().__init__()
        if config.n_independent + config.n_shared == 0:
            raise ValueError("n_independent and n_shared cannot both be 0")
        self.config = config
        hidden = config.n_d + config.n_a
        self.embedding = (
            PackedEmbedding(config.cardinalities, config.widths) if config.cardinalities else None
        )
        self.initial_norm = nn.BatchNorm1d(config.inputs, momentum=0.01)
        self.shared = nn.ModuleList(
            _glu_linear(config.inputs if i == 0 else hidden, 2 * hidden) for i in range(config.n_shared)
        )
        self.features = nn.ModuleList(
            FeatureTransformer(config, self.shared) for _ in range(config.n_steps + 1)
        )
        self.attention = nn.ModuleList(AttentiveTransformer(config) for _ in range(config.n_steps))
        self.head = _plain_linear(config.n_d, config.outputs)
        self._mask = MASKS[config.mask]
        self._register_spread(config)

    def _register_spread(self, config: TabNetConfig) -> None:
        """A column's mask is shared out evenly over the numbers of its embedding."""
        widths = [1] * config.numeric + list(config.widths)
        if all(width == 1 for width in widths):
            spread = share = None
        else:
            spread = torch.tensor([i for i, width in enumerate(widths) for _ in range(width)])
            share = torch.tensor([1.0 / width for width in widths for _ in range(width)])
        self.register_buffer("spread", spread, persistent=False)
        self.register_buffer("share", share, persistent=False)

    def embed(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """Numeric columns first, then every embedding."""
        if self.embedding is None:
            return numeric
        looked_up = self.embedding(codes)
        return torch.cat([numeric, looked_up], 1) if self.config.numeric else looked_up

    def _steps(self, numeric: Tensor, codes: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Of each step the mask (rows, features) and the decision (rows, n_d), which is not negative."""
        n_d = self.config.n_d
        x = self.initial_norm(self.embed(numeric, codes))
        attention = self.features[0](x, self.shared)[:, n_d:]
        prior: Tensor | None = None
        for features, attend in zip(list(self.features)[1:], self.attention, strict=True):
            scores = attend(attention)
            mask = self._mask(scores if prior is None else scores * prior)
            left = self.config.gamma - mask
            prior = left if prior is None else left * prior
            out = features(self._masked(mask, x), self.shared)
            attention = out[:, n_d:]
            yield mask, functional.relu(out[:, :n_d])

    def forward(self, numeric: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs of the head, and the mean negative entropy of the masks (to be subtracted, weighted)."""
        decision, entropy = None, numeric.new_zeros(())
        for mask, step in self._steps(numeric, codes):
            entropy = entropy + (mask * torch.log(mask + _EPSILON)).sum(1).mean()
            decision = step if decision is None else decision + step
        return self.head(decision), entropy / self.config.n_steps

    def outputs(self, *inputs: Tensor) -> Tensor:
        """Logits or standardised values."""
        out: Tensor = self(*inputs)[0]
        return out

    def training_loss(self, batch: Batch, loss: Loss, generator: torch.Generator) -> Tensor:
        """Loss of a batch minus the weighted negative entropy of the masks."""
        numeric, codes = batch.inputs
        if codes.shape[1] and self.config.category_dropout > 0.0:
            codes = drop_categories(codes, self.config.category_dropout, generator)
        out, entropy = self(numeric, codes)
        penalised: Tensor = loss(out, batch.target, batch.weight) - self.config.lambda_sparse * entropy
        return penalised

    def batch_rows(self, rows: int) -> int:
        """Whole virtual batches of equal size, so that one call normalises them all."""
        for fewer in range(rows, 1, -1):
            count, size = virtual_batches(fewer, self.config.virtual_batch_size)
            if count * size == fewer and size > 1:
                return fewer
        return 0

    def explain(self, *inputs: Tensor) -> Tensor:
        """Masks summed over the steps, each weighted by what its decision adds: (rows, features), >= 0."""
        parts = [mask * step.sum(1, keepdim=True) for mask, step in self._steps(*inputs)]
        return torch.stack(parts).sum(0)

    def _masked(self, mask: Tensor, x: Tensor) -> Tensor:
        if self.spread is None or self.share is None:
            return mask * x
        return mask.index_select(1, self.spread) * self.share * x
