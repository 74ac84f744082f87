"""How the states of a sequence become one vector; padding never takes part.

States are (length, rows, width), each direction's in the order in which it reads, so that `last` is the state
after the last token read; attention looks at whole tokens and gets them in the order of the text.
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import torch
from torch import Tensor, nn


class Last(nn.Module):
    """The state of each direction when it has read the whole text."""

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Of (length, rows, width) and (rows,): (rows, width)."""
        return states[lengths - 1, torch.arange(len(lengths), device=lengths.device)]


class Max(nn.Module):
    """The largest value of each unit over the tokens."""

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Of (length, rows, width) and (rows,): (rows, width)."""
        return states.masked_fill(padding(states, lengths)[:, :, None], float("-inf")).max(0).values


class Mean(nn.Module):
    """The mean of each unit over the tokens."""

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Of (length, rows, width) and (rows,): (rows, width)."""
        return states.masked_fill(padding(states, lengths)[:, :, None], 0.0).sum(0) / lengths[:, None]


class Attention(nn.Module):
    """A weighted mean whose weights follow from the states themselves.

    Yang et al., "Hierarchical Attention Networks for Document Classification" (NAACL 2016), its word level.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = nn.Linear(width, width)
        self.weigh = nn.Linear(width, 1, bias=False)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Of (length, rows, width) and (rows,): (rows, width)."""
        scores: Tensor = self.weigh(torch.tanh(self.look(states)))[:, :, 0]
        shares = scores.masked_fill(padding(states, lengths), float("-inf")).softmax(0)
        return (states * shares[:, :, None]).sum(0)


def padding(states: Tensor, lengths: Tensor) -> Tensor:
    """Which of (length, rows) are no tokens."""
    return torch.arange(len(states), device=states.device)[:, None] >= lengths


def make_pooling(name: str, width: int) -> nn.Module:
    """By its name in the settings."""
    match name:
        case "last":
            return Last()
        case "max":
            return Max()
        case "mean":
            return Mean()
        case "attention":
            return Attention(width)
        case _:
            raise ValueError(f"unknown pooling {name!r}")
