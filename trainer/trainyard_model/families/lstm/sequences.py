"""Rows of unequal length in one tensor: where their tokens are, and how they are read from the other end.

Instead of packed sequences, which neither oneDNN nor a compiler takes: every row begins at its first token,
and for the other direction at its last. A recurrent layer then meets padding only when it is through with the
row, and what it makes of that is left out of account.
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

PADDING = 0


class Aligned(NamedTuple):
    """Rows that begin at their first token.

    Attributes:
        tokens: (rows, length).
        lengths: Tokens of each row (rows,), at least 1: a row of nothing is read as one padding.
        first: Where its first token stood (rows,).
    """

    tokens: Tensor
    lengths: Tensor
    first: Tensor


def align(tokens: Tensor) -> Aligned:
    """Rows (rows, length) with padding on either side, moved to the start."""
    if not tokens.shape[1]:
        tokens = tokens.new_full((len(tokens), 1), PADDING)
    real = tokens != PADDING
    lengths = real.sum(1).clamp_min(1)
    first = real.to(torch.uint8).argmax(1)
    return Aligned(_shifted(tokens, first), lengths, first)


def spread(values: Tensor, first: Tensor) -> Tensor:
    """Values (rows, length) of aligned tokens, back where the tokens stood."""
    return _shifted(values, -first)


def _shifted(values: Tensor, by: Tensor) -> Tensor:
    if not values.shape[1]:
        return values
    place = torch.arange(values.shape[1], device=values.device) + by[:, None]
    return values.gather(1, place % values.shape[1])


def mirror(lengths: Tensor, length: int) -> Tensor:
    """Where each element of (length, rows), flattened, goes when every row is read from its last token.

    Padding stays where it is, so that mirroring twice changes nothing.
    """
    rows = len(lengths)
    place = torch.arange(length, device=lengths.device)[:, None]
    there = torch.where(place < lengths, lengths - 1 - place, place)
    return (there * rows + torch.arange(rows, device=lengths.device)).flatten()


class Mirrored(torch.autograd.Function):
    """Elements (length, rows, width) read the other way; its own inverse, and so its own derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, places: Tensor) -> Tensor:
        """Gather by `mirror`."""
        ctx.save_for_backward(places)
        return x.flatten(0, 1).index_select(0, places).view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The same gather: index_select's own derivative adds row by row, and takes longer than the layer."""
        (places,) = ctx.saved_tensors
        gradient = gradients[0]
        return gradient.flatten(0, 1).index_select(0, places).view_as(gradient), None
