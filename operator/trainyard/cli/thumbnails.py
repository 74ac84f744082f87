"""Images in a terminal: two pixels a character, one above the other, in colour where the terminal has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.color import Color
from rich.style import Style
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from trainyard_trainer.data.preview import ImageView

_SIDE = 20
_GAP = 2
_SHADES = " ░▒▓█"


def drawn(images: Sequence[ImageView], width: int, colours: bool) -> Table:
    """So many of them side by side as the terminal is wide, each under its label."""
    small = [_small(image.pixels) for image in images]
    shown, used = [], 0
    for image, pixels in zip(images, small, strict=True):
        used += pixels.shape[1] + _GAP
        if used <= width:
            shown.append((image.label, pixels))
    table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="bold")
    for label, pixels in shown:
        table.add_column(Text(label[: pixels.shape[1]]), no_wrap=True)
    table.add_row(*((_coloured if colours else _shaded)(pixels) for _, pixels in shown))
    return table


def _small(pixels: Any) -> Any:
    """At most _SIDE pixels a side, an even number of rows, as (height, width, 3)."""
    import numpy as np

    colour = pixels[:, :, None] if pixels.ndim == 2 else pixels[:, :, :3]
    step = -(-max(colour.shape[:2]) // _SIDE)
    height, width = (max(1, size // step) for size in colour.shape[:2])
    blocks = colour[: height * step, : width * step].reshape(height, step, width, step, -1)
    means = np.broadcast_to(blocks.mean((1, 3)), (height, width, 3)) if step > 1 else colour
    means = np.broadcast_to(means, (*means.shape[:2], 3)).astype(int)
    return np.concatenate([means, means[-1:]]) if height % 2 else means


def _shaded(pixels: Any) -> Text:
    """A shade for each pair."""
    shades = ((pixels[::2] + pixels[1::2]).mean(2) / 512 * len(_SHADES)).astype(int)
    return Text("\n".join("".join(_SHADES[shade] for shade in row) for row in shades.tolist()))


def _coloured(pixels: Any) -> Text:
    """An upper half block in the colour of the upper pixel before that of the lower."""
    text = Text()
    for above, below in zip(pixels[::2], pixels[1::2], strict=True):
        for top, bottom in zip(above.tolist(), below.tolist(), strict=True):
            text.append("▀", Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom)))
        text.append("\n")
    text.rstrip()
    return text
