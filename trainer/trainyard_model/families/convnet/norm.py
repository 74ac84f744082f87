"""Batch normalisation of maps, which at work is a part of the convolution before it."""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...batch_norm import batch_norm
from ...peers import Peers

_MOMENTUM, _EPSILON = 0.1, 1e-5  # torch's


class BatchNorm(nn.Module):
    """Of maps (rows, channels, height, width) in training."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, peers: Peers | None) -> Tensor:
        """Normalise by the statistics of the batch, and remember them."""
        remembered = (self.running_mean, self.running_var)
        return batch_norm(x, *remembered, self.weight, self.bias, _MOMENTUM, _EPSILON, peers)

    def folded(self, kernels: Tensor) -> tuple[Tensor, Tensor]:
        """Kernels and biases of a convolution that normalises by what is remembered."""
        gain = self.weight * torch.rsqrt(self.running_var + _EPSILON)
        return kernels * gain.view(-1, 1, 1, 1), self.bias - self.running_mean * gain
