"""Many networks in one: members that share their matrices and differ by multiplicative adapters.

TabM (Gorishniy, Kotelnikov, Babenko, "TabM: Advancing Tabular Deep Learning with Parameter-Efficient
Ensembling", arXiv 2410.24210) as far as taken from it: every linear layer is BatchEnsemble's
s * (W (r * x)) + b with one W for all members, and r, s, b of each member's own; adapters begin as 1 except
the first layer's r, whose random signs make the members differ; each member has a head of its own and a loss
of its own, the mean of which is minimised; answers are means of the members' predictions. Not taken: its
embeddings of numbers, and batches that differ between members.

All members are computed at once in tensors of (members, rows, width).
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class SharedLinear(nn.Module):
    """A linear layer of every member, from (members or 1, rows, inputs) to (members, rows, outputs)."""

    def __init__(self, inputs: int, outputs: int, members: int, first: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        signs = torch.randint(0, 2, (members, 1, inputs)) * 2.0 - 1.0
        self.before = nn.Parameter(signs if first else torch.ones(members, 1, inputs))
        self.after = nn.Parameter(torch.ones(members, 1, outputs))
        self.bias = nn.Parameter(_spread((members, 1, outputs), inputs))

    def forward(self, x: Tensor) -> Tensor:
        """One matrix product for all members."""
        return torch.addcmul(self.bias, self.linear(x * self.before), self.after)


class Heads(nn.Module):
    """The last layer, nothing of it shared: (members, rows, inputs) to (members, rows, outputs)."""

    def __init__(self, inputs: int, outputs: int, members: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(_spread((members, inputs, outputs), inputs))
        self.bias = nn.Parameter(_spread((members, 1, outputs), inputs))

    def forward(self, x: Tensor) -> Tensor:
        """One batched product."""
        return torch.baddbmm(self.bias, x, self.weight)


def combine(members: Tensor, classification: bool) -> Tensor:
    """Members' outputs (members, rows, outputs) as one: the mean of probabilities as logits, or of values."""
    if len(members) == 1:
        return members[0]
    if not classification:
        return members.mean(0)
    return torch.logsumexp(functional.log_softmax(members, 2), 0)


def _spread(shape: tuple[int, ...], inputs: int) -> Tensor:
    """Uniform in +-1/sqrt(inputs), as torch's linear layer begins."""
    bound = max(1, inputs) ** -0.5
    return torch.empty(shape).uniform_(-bound, bound)
