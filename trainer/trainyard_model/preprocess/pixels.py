"""Images as arrays uint8 (height, width, channels): from files, to files, to other channels and sizes.

Pillow is loaded when a file is read or a size changes, and not before: a model of tables needs none of it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]
MOST_PIXELS = 2**26
_FORMATS = ("PNG", "JPEG")
_MODES = ("L", "LA", "RGB", "RGBA")


def decode(content: bytes) -> Pixels:
    """The pixels of a PNG or JPEG file, grey or in colour as it says, with alpha where it has one.

    Raises:
        ValueError: It is none, it is damaged, or too large; the message says what it is, and nothing of what
            it holds.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"an image of {image.width} x {image.height} pixels")
            return _array(_whole_bytes(image))
    except UnidentifiedImageError:
        raise ValueError("no such file, or a damaged one") from None
    except Image.DecompressionBombError:
        raise ValueError("an image of too many pixels") from None
    except (OSError, SyntaxError) as error:  # what Pillow raises for files that are cut off or changed
        raise ValueError(f"a damaged one ({error!s:.80})") from None


def encode(pixels: Pixels) -> bytes:
    """A PNG file of them."""
    out = io.BytesIO()
    _image(pixels).save(out, "PNG")
    return out.getvalue()


def to_channels(pixels: Pixels, channels: int) -> Pixels:
    """Images (..., channels) with another number of channels: 1 grey, 2 with alpha, 3 colour, 4 with alpha.

    Grey is made of colours with the weights of ITU-R 601, as Pillow does; alpha is dropped, or opaque.
    """
    had = pixels.shape[-1]
    if had == channels:
        return pixels
    colour = pixels[..., :3] if had >= 3 else pixels[..., :1]
    if channels < 3 <= had:
        weighed = colour.astype(np.uint32) @ np.array([19595, 38470, 7471], dtype=np.uint32)
        colour = ((weighed + 0x8000) >> 16).astype(np.uint8)[..., None]
    elif channels >= 3 > had:
        colour = np.repeat(colour, 3, axis=-1)
    if channels in (1, 3):
        return colour
    alpha = pixels[..., -1:] if had in (2, 4) else np.full_like(pixels[..., :1], 255)
    return np.concatenate([colour, alpha], axis=-1)


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """In another size: each new pixel is a weighted mean of all those it covers."""
    from PIL import Image

    if pixels.shape[:2] == (height, width):
        return pixels
    return _array(_image(pixels).resize((width, height), Image.Resampling.BILINEAR))


def _whole_bytes(image: Image) -> Image:
    """In a mode of 1 to 4 whole bytes a pixel."""
    if image.mode in _MODES:
        return image
    if image.mode == "P":
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would cut off at 255
        return _image((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)[:, :, None])
    return image.convert("L" if image.mode == "1" else "RGB")


def _array(image: Image) -> Pixels:
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _image(pixels: Pixels) -> Image:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))
