"""Pictures beside each other, each with a line or two under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.report import style
from trainyard_trainer.report.words import width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INCH, _LINE = 0.94, 0.17
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Tile:
    """An image (height, width, 3 or 4), those drawn under it, and (text, colour) lines below all of them."""

    images: Sequence[Pixels]
    lines: Sequence[tuple[str, str]] = ()


def coloured(image: NDArray[Any]) -> Pixels:
    """An image of any number of channels, (height, width[, channels]), in red, green and blue."""
    pixels = np.asarray(image, dtype=np.uint8)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if pixels.shape[2] < 3:
        return np.repeat(pixels[:, :, :1], 3, axis=2)
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[:, :, 3:].astype(np.float64) / 255
    return np.asarray(pixels[:, :, :3] * alpha + 255 * (1 - alpha), dtype=np.uint8)


def smaller(values: NDArray[Any], most: int) -> NDArray[Any]:
    """An array (height, width, ...) with neither side much above `most`: blocks of pixels averaged."""
    step = -(-max(values.shape[:2]) // most)
    if step <= 1:
        return values
    high, wide = (max(1, side // step) for side in values.shape[:2])
    cut = values[: high * step, : wide * step]
    if cut.shape[0] < step or cut.shape[1] < step:
        return values[::step, ::step]
    blocks = cut.reshape(high, step, wide, step, *values.shape[2:]).astype(np.float64)
    return np.asarray(blocks.mean((1, 3)), dtype=values.dtype)


def draw(tiles: Sequence[Tile], columns: int, heading: Sequence[str] = ()) -> Figure:
    """Tiles from left to right in rows of `columns`; `heading` names the rows, at their left."""
    from matplotlib.figure import Figure

    ratio = max(image.shape[0] / image.shape[1] for tile in tiles for image in tile.images)
    ratio = min(max(ratio, 0.3), 2.0)
    step, line = ratio + 0.05, _LINE / _INCH
    left = 0.2 + 0.085 * max(width(text) for text in heading) if heading else 0.0
    drawn = Figure()
    axes = drawn.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    y = 0.0
    for row, first in enumerate(range(0, len(tiles), columns)):
        here = tiles[first : first + columns]
        below = y + step * max(len(tile.images) for tile in here)
        for i, tile in enumerate(here):
            x = i * 1.08 + left
            for j, image in enumerate(tile.images):
                _place(axes, image, x, y + j * step, ratio)
            for k, (text, colour) in enumerate(tile.lines):
                at = below + line * (k + 0.45)
                axes.text(x + 0.5, at, text, ha="center", va="center", size=8, color=colour)
        if row < len(heading):
            at = y + ratio / 2
            axes.text(left - 0.08, at, heading[row], ha="right", va="center", size=8.5, color=style.INK)
        y = below + line * max(len(tile.lines) for tile in here) + 0.12
    drawn.set_size_inches((columns * 1.08 + left) * _INCH + 0.1, y * _INCH + 0.1)
    axes.set_xlim(-0.05, columns * 1.08 + left + 0.02)
    axes.set_ylim(y + 0.02, -0.08)
    axes.set_aspect("auto")
    return drawn


def _place(axes: Any, image: Pixels, x: float, y: float, ratio: float) -> None:
    """One image in the middle of its place, one wide and `ratio` high, its own proportions kept."""
    high, wide = image.shape[0], image.shape[1]
    scale = min(1.0 / wide, ratio / high)
    across, down = wide * scale, high * scale
    left, top = x + (1.0 - across) / 2, y + (ratio - down) / 2
    box = (left, left + across, top + down, top)
    axes.imshow(image, extent=box, interpolation="none", aspect="auto", zorder=2)
    axes.add_patch(_frame(left, top, across, down))


def _frame(x: float, y: float, across: float, down: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), across, down, fill=False, edgecolor=style.GRID, linewidth=0.8, zorder=3)
