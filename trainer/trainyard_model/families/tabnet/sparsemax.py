"""Projections of scores onto the simplex that give exact zeros: TabNet's masks.

Sparsemax (Martins and Astudillo, 2016) and 1.5-entmax (Peters, Niculae and Martins, 2019) over the columns of
a (rows, F) tensor, each with the closed-form gradient instead of one through the sort. Autograd sees neither:
the network's own backward pass calls `pull_back`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

_FEW = 16


def _ranks(like: Tensor) -> Tensor:
    return torch.arange(1, like.shape[1] + 1, device=like.device, dtype=like.dtype)


def _leaders(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Scores in descending order relative to the row's largest, as far as they matter, and that largest.

    A score that is 1 or more below the largest is never in the support (of either mapping), so a CPU looks at
    the first few columns unless some row has more candidates; elsewhere all columns are kept, as asking would
    be a sync. On a CPU numpy's vectorised sort is ten times faster, as it keeps no indices.
    """
    if scores.device.type != "cpu" or torch.compiler.is_compiling():
        ordered = torch.sort(scores, dim=1, descending=True).values
        return ordered - ordered[:, :1], ordered[:, :1]
    array = -scores.numpy()
    array.sort(axis=1)
    width = array.shape[1]
    if width > _FEW and len(array) and (array[:, _FEW - 1] - array[:, 0]).min() >= 1.0:
        width = _FEW
    negated = torch.from_numpy(array)
    return negated[:, :1] - negated[:, :width], -negated[:, :1]


def _sparsemax(scores: Tensor) -> tuple[Tensor, Tensor]:
    """For a support of the k largest the threshold is (their sum - 1) / k; the right k makes it largest."""
    ordered, largest = _leaders(scores)
    threshold = ordered.cumsum(1).sub_(1.0).div_(_ranks(ordered)).amax(1, keepdim=True).add_(largest)
    mask = (scores - threshold).relu_()
    return mask, mask


def _sparsemax_back(grad: Tensor, mask: Tensor, _: Tensor) -> Tensor:
    inside = mask.sign()
    grad = grad * inside
    mean = grad.sum(1, keepdim=True).div_(inside.sum(1, keepdim=True))
    return torch.addcmul(grad, inside, mean, value=-1.0)


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
