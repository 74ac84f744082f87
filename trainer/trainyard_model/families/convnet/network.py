"""The convolutional network: blocks over maps, dense layers over what is left of them.

Maps lie channels last: there convolutions need no copies, pools and norms are vectorised over channels, and a
step takes a CPU two thirds of what it takes in torch's default order. Pools come before ReLU, which gives the
same numbers from a fraction of the elements.
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...peers import Peers
from ..attribution import integrated_gradients, log_odds
from ..base import Batch, Layer, Loss, Network
from ..dropout import drop
from .config import Conv, ConvNetConfig
from .norm import BatchNorm
from .outline import outline

_POINTS = 16
_CELLS = 2**21  # numbers of all maps of a slice: 8 MiB


class Block(nn.Module):
    """Convolution, batch norm, max pool, ReLU, dropout."""

    def __init__(self, inputs: int, settings: Conv, batch_norm: bool) -> None:
        super().__init__()
        self.settings = settings
        kernel = (settings.kernel, settings.kernel)
        self.weight = nn.Parameter(torch.empty(settings.channels, inputs, *kernel))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        self.bias = None if batch_norm else nn.Parameter(torch.zeros(settings.channels))
        self.norm = BatchNorm(settings.channels) if batch_norm else None

    def forward(self, x: Tensor, generator: torch.Generator | None, peers: Peers | None) -> Tensor:
        """Maps (rows, channels, height, width); in training dropout is the generator's."""
        kernels: Tensor = self.weight
        bias: Tensor | None = self.bias
        if self.norm is not None and not self.training:
            kernels, bias = self.norm.folded(kernels)
        settings = self.settings
        if settings.kernel % 2 == 0:
            x = functional.pad(x, (0, 1, 0, 1))
        x = functional.conv2d(x, kernels, bias, settings.stride, (settings.kernel - 1) // 2)
        if self.norm is not None and self.training:
            x = self.norm(x, peers)
        if settings.pool > 1:
            x = functional.max_pool2d(x, settings.pool)
        x = functional.relu(x, inplace=True).permute(0, 2, 3, 1)  # as it lies in memory
        return _thinned(x, settings.dropout, generator).permute(0, 3, 1, 2)


class ConvNet(Network):
    """Pixels uint8 (rows, channels, height, width) in, logits or standardised values out."""

    config: ConvNetConfig
    gain: Tensor
    shift: Tensor

    def __init__(self, config: ConvNetConfig) -> None:
        super().__init__()
        self.config = config
        channels = [config.channels, *(block.channels for block in config.conv)]
        self.blocks = nn.ModuleList(
            Block(inputs, block, config.batch_norm)
            for inputs, block in zip(channels, config.conv, strict=False)
        )
        sizes = [math.prod(config.maps[-1][1]), *(dense.units for dense in config.dense)]
        self.dense = nn.ModuleList(_linear(*pair) for pair in pairwise(sizes))
        self.head = nn.Linear(sizes[-1], config.outputs)
        means, scales = torch.tensor(config.means), torch.tensor(config.scales)
        self.register_buffer("gain", (1 / (255 * scales)).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("shift", (-means / scales).view(1, -1, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)

    def normalised(self, pixels: Tensor) -> Tensor:
        """Standardised by channel, in channels-last order."""
        x = pixels.to(self.gain.dtype, memory_format=torch.channels_last)
        return torch.addcmul(self.shift, x, self.gain)

    def answer(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Outputs (rows, outputs) from normalised images."""
        for block in self.blocks:
            x = block(x, generator, self.peers)
        x = x.permute(0, 2, 3, 1).flatten(1)  # channels last, as they lie in memory
        for layer, settings in zip(self.dense, self.config.dense, strict=True):
            x = _thinned(functional.relu(layer(x), inplace=True), settings.dropout, generator)
        found: Tensor = self.head(x)
        return found

    def outputs(self, *inputs: Tensor) -> Tensor:
        """Slice by slice, so that memory does not grow with the rows."""
        return torch.cat([self.answer(self.normalised(pixels)) for pixels in self._slices(inputs[0])])

    def training_loss(self, batch: Batch, loss: Loss, generator: torch.Generator) -> Tensor:
        """The batch at once: its norms are over all of it."""
        found = self.answer(self.normalised(batch.inputs[0]), generator)
        return loss(found, batch.target, batch.weight)

    def explain(self, *inputs: Tensor) -> Tensor:
        """Integrated gradients from an image of the training pixels' mean: signed, (rows, height, width).

        Of the log-odds of the positive class, of the likeliest where there are more than two, or of the
        standardised value (their sum where there are several targets); summed over a pixel's channels.
        """
        return torch.cat([self._attributions(self.normalised(pixels)) for pixels in self._slices(inputs[0])])

    @torch.no_grad()
    def _attributions(self, x: Tensor) -> Tensor:
        config = self.config
        chosen = torch.ones(len(x), dtype=torch.long, device=x.device)
        if config.outputs > 2:
            chosen = self.answer(x).argmax(1)

        def judged(point: Tensor, rows: Tensor) -> Tensor:
            out = self.answer(point)
            return log_odds(out, chosen[rows]) if config.classification else out.sum(1)

        return integrated_gradients(judged, x, torch.zeros_like(x[:1]), _POINTS).sum(1)

    @property
    def widest(self) -> int:
        """Numbers in the largest map of a row."""
        return max(math.prod(convolved) for convolved, _ in self.config.maps)

    def batch_rows(self, rows: int) -> int:
        """All, but for a norm, which needs two rows over all processes to tell them apart."""
        return rows if rows > 1 or not self.config.batch_norm else 0

    def outline(self) -> tuple[Layer, ...]:
        """Blocks and dense layers."""
        return outline(self.config, {name: p.numel() for name, p in self.named_parameters()})

    def _slices(self, pixels: Tensor) -> Iterator[Tensor]:
        """Rows in slices whose maps are small."""
        cells = sum(math.prod(convolved) for convolved, _ in self.config.maps)
        return iter(torch.split(pixels, max(1, _CELLS // cells)))


def _thinned(x: Tensor, dropout: float, generator: torch.Generator | None) -> Tensor:
    return x if generator is None or dropout == 0.0 else drop(x, dropout, generator)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer that ReLU follows (He et al., arXiv 1502.01852)."""
    layer = nn.Linear(inputs, outputs)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer
