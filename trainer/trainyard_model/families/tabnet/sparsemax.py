"""Projections of scores onto the simplex that give exact zeros: TabNet's masks.

Sparsemax (Martins and Astudillo, 2016) and 1.5-entmax (Peters, Niculae and Martins, 2019) over the columns of
a (rows, F) tensor, each with the closed-form gradient instead of one through the sort. Autograd sees neither:
the network's own backward pass calls `pull_back`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

_FEW = 16


def _ranks(like: Tensor) -> Tensor:
    return torch.arange(1, like.shape[1] + 1, device=like.device, dtype=like.dtype)


def _leaders(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Scores above the row's largest less one, in descending order and relative to it, and that largest.

    A smaller score is never in the support (of either mapping), so a CPU looks at the first few columns
    unless some row has more candidates; elsewhere all columns are kept, as asking would be a sync. On a CPU
    numpy's vectorised sort is ten times faster, as it keeps no indices.
    """
    if scores.device.type != "cpu" or torch.compiler.is_compiling():
        ordered = torch.sort(scores, dim=1, descending=True).values
        return ordered - ordered[:, :1], ordered[:, :1]
    ascending = torch.from_numpy(np.sort(scores.numpy(), axis=1))
    largest = ascending[:, -1:]
    width = scores.shape[1]
    if width > _FEW and bool((ascending[:, -_FEW] <= largest[:, 0] - 1.0).all()):
        width = _FEW
    return ascending[:, -width:].flip(1) - largest, largest


def _sparsemax(scores: Tensor) -> tuple[Tensor, Tensor]:
    ordered, largest = _leaders(scores)
    excess = ordered.cumsum(1).sub_(1.0)
    size = (_ranks(ordered) * ordered > excess).sum(1, keepdim=True).clamp_(min=1)  # 0 only for NaN
    threshold = excess.gather(1, size - 1).div_(size).add_(largest)
    return (scores - threshold).relu_(), size.to(scores.dtype)


def _sparsemax_back(grad: Tensor, mask: Tensor, size: Tensor) -> Tensor:
    inside = mask.sign()
    grad = grad * inside
    return torch.addcmul(grad, inside, grad.sum(1, keepdim=True).div_(size), value=-1.0)


def _entmax15(scores: Tensor) -> tuple[Tensor, Tensor]:
    half = scores / 2.0
    ordered, largest = _leaders(half)
    ranks = _ranks(ordered)
    mean = ordered.cumsum(1).div_(ranks)
    spread = ranks * ((ordered * ordered).cumsum(1).div_(ranks) - mean * mean)
    candidates = mean - ((1.0 - spread) / ranks).clamp_(min=0.0).sqrt_()
    size = (candidates <= ordered).sum(1, keepdim=True).clamp_(min=1)
    root = (half - candidates.gather(1, size - 1).add_(largest)).relu_()
    return root * root, root


def _entmax15_back(grad: Tensor, mask: Tensor, root: Tensor) -> Tensor:
    grad = grad * root
    shift = grad.sum(1, keepdim=True).div_(root.sum(1, keepdim=True))
    return torch.addcmul(grad, root, shift, value=-1.0)


@dataclass(frozen=True, slots=True)
class Projection:
    """A mapping onto the simplex.

    Attributes:
        project: Scores (rows, F) to rows of non-negative numbers that sum to 1, and what `pull_back` needs.
        pull_back: Gradient of the scores, from that of the result, the result and what `project` left.
    """

    project: Callable[[Tensor], tuple[Tensor, Tensor]]
    pull_back: Callable[[Tensor, Tensor, Tensor], Tensor]


SPARSEMAX = Projection(_sparsemax, _sparsemax_back)
ENTMAX = Projection(_entmax15, _entmax15_back)
MASKS: Mapping[str, Projection] = MappingProxyType({"sparsemax": SPARSEMAX, "entmax": ENTMAX})
