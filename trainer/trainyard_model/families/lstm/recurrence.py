"""One recurrent layer: an LSTM for each direction, both of which meet padding after all tokens of a row."""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .sequences import Mirrored


class Direction(nn.LSTM):
    """One direction, from (length, rows, inputs) to (length, rows, hidden).

    Drawn as Keras draws it: a forget gate that is open at first, orthogonal recurrences.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        inward, recurrent, bias, other_bias = (parameter.detach() for parameter in self.parameters())
        for gate in inward.chunk(4):
            nn.init.xavier_uniform_(gate)
        for gate in recurrent.chunk(4):
            nn.init.orthogonal_(gate)
        bias.zero_()
        other_bias.zero_()
        bias[hidden : 2 * hidden] = 1.0

    def train(self, mode: bool = True) -> Direction:
        """Always: there is no dropout in it, and cuDNN gives gradients, for explanations, only then."""
        super().train(True)
        return self


def read(layer: Sequence[nn.Module], x: Tensor, places: Tensor, whole: bool) -> Tensor:
    """States of all directions side by side, (length, rows, state).

    Args:
        layer: The direction of the text, and the other where there are two.
        x: What is read, (length, rows, inputs).
        places: Of `sequences.mirror`.
        whole: The other direction's states in the order of the text as well; else in its own.
    """
    forward, *others = layer
    states = [forward(x)[0]]
    for backward in others:
        found = backward(Mirrored.apply(x, places))[0]
        states.append(Mirrored.apply(found, places) if whole else found)
    return states[0] if not others else torch.cat(states, 2)
