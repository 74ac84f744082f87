"""Batch normalisation over a batch that several processes share: as if one process had all of its rows.

The mean and the mean square of a channel are those of all rows, and so is what the backward pass subtracts:
with y = (x - mean) / std, dx = gain / std * (dy - mean(dy) - y * mean(dy * y)) (Ioffe and Szegedy, 2015).
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from .peers import Peers


def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gain: Tensor,
    bias: Tensor,
    momentum: float,
    epsilon: float,
    peers: Peers | None = None,
) -> Tensor:
    """Normalise the channels of x (rows, C, ...) in training, and move the running mean and variance (C,).

    Args:
        x: This process's rows; as many as every other has.
        mean: Running mean, updated in place: the same in every process afterwards.
        variance: Running variance, likewise, of unbiased estimates.
        gain: Factor of a channel (C,).
        bias: Summand of a channel (C,).
        momentum: Weight of the batch in the running values.
        epsilon: Added to the variance.
        peers: Who has the batch's other rows.
    """
    if peers is None:
        return functional.batch_norm(x, mean, variance, gain, bias, True, momentum, epsilon)
    normal: Tensor = _Normalise.apply(x, mean, variance, momentum, epsilon, peers)
    shape = _along(x)
    return normal * gain.view(shape) + bias.view(shape)


class _Normalise(torch.autograd.Function):
    """(x - mean) / std over the rows of all processes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, mean: Tensor, variance: Tensor, momentum: float, epsilon: float, peers: Peers
    ) -> Tensor:
        axes, shape, count = _others(x), _along(x), peers.size * x.numel() // x.shape[1]
        found = x.mean(axes) / peers.size
        peers.add(found)
        centred = x - found.view(shape)
        spread = centred.square().sum(axes)  # about the common mean: nothing cancels
        peers.add(spread)
        mean.mul_(1.0 - momentum).add_(found, alpha=momentum)
        variance.mul_(1.0 - momentum).add_(spread, alpha=momentum / max(1, count - 1))
        scale = (spread / count + epsilon).rsqrt()
        normal = centred * scale.view(shape)
        ctx.save_for_backward(normal, scale)
        ctx.peers, ctx.count = peers, count
        return normal

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        normal, scale = ctx.saved_tensors
        [grad] = grads
        axes, shape = _others(grad), _along(grad)
        sums = torch.stack([grad.sum(axes), (grad * normal).sum(axes)])
        ctx.peers.add(sums)
        plain, along = (part.view(shape) for part in (sums / ctx.count).unbind())
        return (grad - plain - normal * along) * scale.view(shape), None, None, None, None, None


def _others(x: Tensor) -> list[int]:
    """All axes but the channels'."""
    return [axis for axis in range(x.ndim) if axis != 1]


def _along(x: Tensor) -> list[int]:
    """The shape of a channel's values beside x."""
    return [1, x.shape[1], *[1] * (x.ndim - 2)]
