"""All categorical columns in one embedding table, read by one gather.

Row 0 of every column stands for a missing value and row 1 for a value never seen in training, so serving an
unknown category is an answer and not an error.
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

MISSING, UNSEEN, RESERVED = 0, 1, 2
_WIDEST = 8


def embedding_width(cardinality: int) -> int:
    """Enough to tell the categories apart: the binary logarithm of their number, at most 8."""
    return min(_WIDEST, max(1, math.ceil(math.log2(max(2, cardinality - RESERVED)))))


class PackedEmbedding(nn.Module):
    """Looks up (rows, columns) of category codes and returns (rows, sum of widths)."""

    offsets: Tensor
    used: Tensor | None

    def __init__(self, cardinalities: Sequence[int], widths: Sequence[int]) -> None:
        """Cardinalities count the reserved rows; columns narrower than the widest leave their rest unused."""
        super().__init__()
        widest = max(widths)
        starts = [sum(cardinalities[:i]) for i in range(len(cardinalities))]
        self.register_buffer("offsets", torch.tensor(starts), persistent=False)
        used = [column * widest + j for column, width in enumerate(widths) for j in range(width)]
        padded = len(used) < widest * len(widths)
        self.register_buffer("used", torch.tensor(used) if padded else None, persistent=False)
        self.table = nn.Parameter(torch.randn(sum(cardinalities), widest))

    def forward(self, codes: Tensor) -> Tensor:
        """One gather for every column of every row."""
        found = functional.embedding(codes + self.offsets, self.table).flatten(1)
        return found if self.used is None else found.index_select(1, self.used)


def drop_categories(codes: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Replace a few codes by the reserved ones, so that these are trained even where data have no gaps."""
    draw = torch.rand(codes.shape, generator=generator, device=codes.device)
    reserved = (draw < probability / 2).to(codes.dtype)  # MISSING or UNSEEN, half each
    return torch.where(draw < probability, reserved, codes)
