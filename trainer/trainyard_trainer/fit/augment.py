"""Random variations of the images of a batch, on the device and for all of them at once; training only.

All randomness comes from the epoch's generator, batch after batch, so a resumed training sees the variations
that it would have seen.

What comes in from beyond the border, and what is blanked, is filled with the background: in each channel the
median of the training images' outermost pixels. Those are the best evidence of what lies beyond, and a median
does not mind the objects that reach the border: 0 for white digits on black, 255 for black ones on white, a
middling colour for photographs.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from trainyard_model import Batch
from trainyard_trainer.fit.settings import AugmentSettings

_SMALLEST, _LARGEST = 0.02, 1 / 3
_ASPECT = math.log(10 / 3)
"""Share of the image and sides' ratio of what is blanked, as in Random Erasing (Zhong et al., 2017)."""
_BORDERS_OF = 10_000


class Augment:
    """Varies batches of uint8 images (rows, channels, height, width)."""

    def __init__(self, settings: AugmentSettings, train: Tensor) -> None:
        """`train` are the images that batches are drawn from."""
        self.settings = settings
        self.fill = background(train).view(1, -1, 1, 1)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch with other images; target and weight stay."""
        settings, (pixels,) = self.settings, batch.inputs
        if settings.horizontal_flip:
            chosen = _uniform(1, pixels, generator)[0] < 0.5
            pixels = torch.where(chosen.view(-1, 1, 1, 1), pixels.flip(3), pixels)
        if settings.rotate_degrees:
            pixels = self._rotated(pixels, generator)
        if settings.shift_pixels:
            pixels = self._shifted(pixels, generator)
        if settings.erase:
            pixels = self._erased(pixels, generator)
        return replace(batch, inputs=(pixels,))

    def _shifted(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Each by whole pixels: a window of the image in a frame of background, at a random place."""
        by = self.settings.shift_pixels
        rows, channels, height, width = pixels.shape
        framed = self.fill.expand(rows, channels, height + 2 * by, width + 2 * by).contiguous()
        framed[:, :, by : by + height, by : by + width] = pixels
        windows = framed.unfold(2, height, 1).unfold(3, width, 1)  # a view (rows, channels, y, x, ...)
        y, x = torch.randint(2 * by + 1, (2, rows), generator=generator, device=pixels.device)
        return windows[torch.arange(rows, device=pixels.device), :, y, x]

    def _rotated(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Each about its centre, bilinearly."""
        angle = (2.0 * _uniform(1, pixels, generator)[0] - 1.0) * math.radians(self.settings.rotate_degrees)
        fill = self.fill.float()
        grid = _turned_grid(pixels, angle)
        turned = functional.grid_sample(pixels.float() - fill, grid, align_corners=False) + fill
        return turned.round_().clamp_(0.0, 255.0).to(torch.uint8)

    def _erased(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """In some of them a rectangle, wholly inside, becomes background."""
        height, width = pixels.shape[2:]
        chosen, share, aspect, top, left = _uniform(5, pixels, generator)
        area = (_SMALLEST + (_LARGEST - _SMALLEST) * share) * (height * width)
        ratio = torch.exp((2.0 * aspect - 1.0) * _ASPECT)
        tall = (area * ratio).sqrt().round().clamp(1, height)
        wide = (area / ratio).sqrt().round().clamp(1, width)
        inside = _between(top, tall, height).unsqueeze(2) & _between(left, wide, width).unsqueeze(1)
        inside &= (chosen < self.settings.erase).view(-1, 1, 1)
        return torch.where(inside.unsqueeze(1), self.fill, pixels)


def background(images: Tensor) -> Tensor:
    """The median of the outermost pixels of each channel, uint8 (channels,); of the first images, if many."""
    some = images[:_BORDERS_OF]
    border = [some[:, :, 0], some[:, :, -1], some[:, :, :, 0], some[:, :, :, -1]]
    return torch.cat(border, 2).transpose(0, 1).flatten(1).median(1).values


def _turned_grid(pixels: Tensor, angle: Tensor) -> Tensor:
    """Where each pixel of turned images comes from, (rows, height, width, 2), as `grid_sample` wants it.

    Its own coordinates go from -1 to 1 in both directions, whatever the sides' ratio.
    """
    height, width = pixels.shape[2:]
    x = (torch.arange(width, device=pixels.device) * 2 + 1) / width - 1.0
    y = ((torch.arange(height, device=pixels.device) * 2 + 1) / height - 1.0).unsqueeze(1)
    cos, sin = angle.cos().view(-1, 1, 1), angle.sin().view(-1, 1, 1)
    return torch.stack([cos * x + sin * (height / width) * y, cos * y - sin * (width / height) * x], 3)


def _uniform(count: int, pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Numbers in [0, 1), so many for each image: (count, rows)."""
    return torch.rand(count, len(pixels), generator=generator, device=pixels.device)


def _between(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Positions (rows, size) within a stretch of some length that begins at a share of what is left."""
    first = (start * (size - length + 1)).floor().unsqueeze(1)
    at = torch.arange(size, device=start.device)
    return (at >= first) & (at < first + length.unsqueeze(1))
