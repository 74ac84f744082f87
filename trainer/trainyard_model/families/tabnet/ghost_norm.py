"""Ghost batch normalisation in one call, exactly equal to normalising each virtual batch in turn.

A batch of B rows is k = ceil(B / virtual batch size) virtual batches of ceil(B / k) rows, the last one
possibly smaller. Virtual batch c is made of the rows c, c+k, c+2k, ...: then a (B, F) tensor seen as (B/k,
k*F) has one column per virtual batch and feature, and one native batch normalisation of that free view does
all of them. The running statistics end where a loop over the virtual batches would leave them.

Rows are in random order during training, so which rows meet in a virtual batch is as random as before.
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def virtual_batches(rows: int, virtual_batch_size: int) -> tuple[int, int]:
    """Number of virtual batches and rows in each but the last (as `Tensor.chunk` cuts them)."""
    wanted = math.ceil(rows / virtual_batch_size)
    size = math.ceil(rows / wanted)
    return math.ceil(rows / size), size


class GhostBatchNorm(nn.Module):
    """Batch normalisation over virtual batches; one ordinary batch normalisation in evaluation mode."""

    weight: nn.Parameter
    bias: nn.Parameter
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, features: int, virtual_batch_size: int, momentum: float, eps: float = 1e-5) -> None:
        super().__init__()
        self.features, self.virtual_batch_size, self.momentum, self.eps = (
            features,
            virtual_batch_size,
            momentum,
            eps,
        )
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))
        self._decay: dict[tuple[int, torch.device, torch.dtype], Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (rows, features)."""
        if not self.training:
            return functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        count, size = virtual_batches(x.shape[0], self.virtual_batch_size)
        if count * size == x.shape[0]:
            return self._normalise(x, count)
        full = (count - 1) * size  # the ragged last virtual batch goes by itself
        return torch.cat([self._normalise(x[:full], count - 1), self._normalise(x[full:], 1)])

    def _normalise(self, x: Tensor, count: int) -> Tensor:
        """`count` equal virtual batches at once; their statistics come back through momentum 1."""
        width = count * self.features
        mean, var = x.new_empty(width), x.new_empty(width)
        wide = functional.batch_norm(
            x.reshape(-1, width),
            mean.zero_(),
            var.zero_(),
            self.weight.repeat(count) if count > 1 else self.weight,
            self.bias.repeat(count) if count > 1 else self.bias,
            True,
            1.0,
            self.eps,
        )
        self._fold(mean, var, count)
        return wide.view(x.shape)

    @torch.no_grad()
    def _fold(self, mean: Tensor, var: Tensor, count: int) -> None:
        """Running r becomes (1-m)^k r + m sum_i (1-m)^(k-1-i) s_i: what k updates in a row would do."""
        keep = (1.0 - self.momentum) ** count
        weights = self._weights(count, mean)
        self.running_mean.mul_(keep).addmv_(mean.view(count, -1).t(), weights)
        self.running_var.mul_(keep).addmv_(var.view(count, -1).t(), weights)

    def _weights(self, count: int, like: Tensor) -> Tensor:
        key = (count, like.device, like.dtype)
        if key not in self._decay:
            powers = [self.momentum * (1.0 - self.momentum) ** (count - 1 - i) for i in range(count)]
            self._decay[key] = torch.tensor(powers, device=like.device, dtype=like.dtype)
        return self._decay[key]
