"""The decision steps of TabNet at work: norms folded into the weights, nothing kept.

A batch normalisation with fixed statistics is a factor and a shift for each output of the linear layer before
it; the factor goes into the weight and the shift becomes the layer's bias. Shapes as in `steps`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .ghost_norm import EPSILON
from .steps import SCALE, Rules, Weights

Layer = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Folded:
    """Linear layers as (weight transposed (inputs, outputs), bias (outputs,))."""

    transformers: Sequence[Sequence[Layer]]
    attention: Sequence[Layer]


def fold_norms(
    weights: Weights, mean: Tensor, variance: Tensor, attend_mean: Tensor, attend_variance: Tensor
) -> Folded:
    """Running statistics (T, L, 2H) and (T - 1, F) into the weights."""
    scale = weights.gain * torch.rsqrt(variance + EPSILON)
    shift = torch.addcmul(weights.bias, mean, scale, value=-1.0)
    attend_scale = weights.attend_gain * torch.rsqrt(attend_variance + EPSILON)
    attend_shift = torch.addcmul(weights.attend_bias, attend_mean, attend_scale, value=-1.0)
    attend = weights.attend * attend_scale.unsqueeze(2)
    layers = zip(weights.by_layer(), scale.unbind(), shift.unbind(), strict=True)
    return Folded(
        [
            [(weight.t() * a, b) for weight, a, b in zip(matrices, by.unbind(), plus.unbind(), strict=True)]
            for matrices, by, plus in layers
        ],
        [(attend[s].t(), attend_shift[s]) for s in range(len(attend))],
    )


def steps(x: Tensor, folded: Folded, rules: Rules) -> Iterator[tuple[Tensor, Tensor]]:
    """Of each step the mask (rows, F) and the decision (rows, n_d), which is not negative."""
    prior: Tensor | None = None
    out = _transform(x, folded.transformers[0])
    for layers, (weight, bias) in zip(folded.transformers[1:], folded.attention, strict=True):
        scores = torch.addmm(bias, out[:, rules.n_d :], weight)
        mask, _ = rules.projection.project(scores if prior is None else scores.mul_(prior))
        left = rules.gamma - mask
        prior = left if prior is None else left.mul_(prior)
        out = _transform(rules.spread(mask) * x, layers)
        yield mask, out[:, : rules.n_d].relu()


def _transform(x: Tensor, layers: Sequence[Layer]) -> Tensor:
    for i, (weight, bias) in enumerate(layers):
        both = torch.addmm(bias, x, weight)
        half = both.shape[1] // 2
        value, gate = both[:, :half], both[:, half:].contiguous().sigmoid_()
        x = value * gate if i == 0 else torch.addcmul(x, value, gate).mul_(SCALE)
    return x
