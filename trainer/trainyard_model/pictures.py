"""Images as numbers: one rule for files, arrays and requests, so that what is served is what was trained.

A picture is uint8 (height, width, channels) with 1 channel (grey), 3 (colour) or 4 (colour and alpha). Pillow
is needed, and imported, only to decode files and to resize.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
PIXELS_AT_MOST = 89_478_485
"""A file that claims more is taken for one that is made to fill the memory; Pillow's own limit."""

_GREY, _ALPHA = ("1", "L"), ("LA", "La", "PA", "RGBA", "RGBa")
_LUMA = np.array([19595, 38470, 7471], dtype=np.uint32)  # ITU-R 601 in 1/65536, as Pillow has it
_AT_ONCE = 1 << 22


class PictureError(ValueError):
    """What is given is no picture that can be used; the message says why, without saying where it was."""


def decode(
    content: bytes,
    channels: int | None = None,
    formats: tuple[str, ...] | None = None,
    at_most: int = PIXELS_AT_MOST,
) -> Picture:
    """A file's picture, turned as its EXIF data say; of an animation the first frame.

    Args:
        content: PNG, JPEG or anything else that Pillow reads.
        channels: Convert to so many; as stored where None (a palette is colour).
        formats: The only ones to accept, by Pillow's names; a server's decoders are open to strangers.
        at_most: Pixels that it may claim to have.

    Raises:
        PictureError: It cannot be read, has more than 8 bits a channel, or claims a monstrous size.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=formats) as image:
            _check(image, at_most)
            stored = _channels(image)
            ImageOps.exif_transpose(image, in_place=True)
            pixels = np.asarray(image.convert(MODES[stored]))
    except (PictureError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise _monstrous(at_most) from None
    except Exception as error:  # whatever a broken file makes a decoder stumble over
        reason = "no image format that is known" if isinstance(error, UnidentifiedImageError) else error
        raise PictureError(f"cannot be read as an image: {reason!s:.120}") from error
    pixels = pixels if pixels.ndim == 3 else pixels[:, :, None]
    return with_channels(pixels, channels or stored)


def _check(image: Any, at_most: int) -> None:
    if image.width * image.height > at_most:
        raise _monstrous(at_most)
    deep = image.mode.startswith(("I", "F")) or any(";16" in str(tile[3]) for tile in image.tile)
    if deep:
        raise PictureError(
            "has more than 8 bits a channel; save it with 8, so that you decide which range of values is kept"
        )


def _channels(image: Any) -> int:
    if image.mode in _GREY:
        return 1
    return 4 if image.mode in _ALPHA or "transparency" in image.info else 3


def _monstrous(at_most: int) -> PictureError:
    return PictureError(f"claims to have more than {at_most:,} pixels; make it smaller")


def to_uint8(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Numbers of any kind as 0 to 255: floats that are all at most 1 are shares of 255.

    Raises:
        PictureError: They are no numbers, or lie outside 0 to 255.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "biuf":
        raise PictureError("holds no numbers")
    if not values.size:
        return values.astype(np.uint8)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255):  # also where one is NaN
        raise PictureError(f"has values from {low:g} to {high:g}; 0 to 255, or 0 to 1, can be used")
    shares = values.dtype.kind == "b" or (values.dtype.kind == "f" and high <= 1)
    out = np.empty(values.shape, dtype=np.uint8)
    step = max(1, _AT_ONCE // max(1, values[:1].size))
    for start in range(0, len(values), step):  # no second copy of everything in between
        block = values[start : start + step]
        out[start : start + step] = np.rint(block * 255.0) if shares else np.rint(block)
    return out


def with_channels(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Pictures (..., channels) with another number of them, as `decode` converts files."""
    there = pixels.shape[-1]
    if there == channels:
        return pixels
    if channels == 1:
        luma = pixels[..., :3].astype(np.uint32) @ _LUMA
        return np.asarray((luma + 0x8000) >> 16, dtype=np.uint8)[..., None]
    colour = np.repeat(pixels, 3, -1) if there == 1 else pixels[..., :3]
    if channels == 3:
        return np.ascontiguousarray(colour)
    return np.concatenate([colour, np.full((*pixels.shape[:-1], 1), 255, dtype=np.uint8)], -1)


def resized(picture: Picture, height: int, width: int) -> Picture:
    """Stretched or shrunk to a size, pixels averaged with the weights of a triangle (bilinear)."""
    if picture.shape[:2] == (height, width):
        return picture
    from PIL import Image

    pixels = np.asarray(_image(picture).resize((width, height), Image.Resampling.BILINEAR))
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def to_png(picture: Picture) -> bytes:
    """A PNG file, which loses nothing."""
    out = io.BytesIO()
    _image(picture).save(out, "PNG")
    return out.getvalue()


def _image(picture: Picture) -> Any:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(picture[:, :, 0] if picture.shape[2] == 1 else picture))
