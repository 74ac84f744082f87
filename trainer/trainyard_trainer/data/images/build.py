"""From arrays of pixels and labels to the table, whatever they were read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trainyard_model.pictures import PictureError, resized, to_uint8, with_channels
from trainyard_trainer.data.convert import values_of
from trainyard_trainer.data.inputs import PART
from trainyard_trainer.data.settings import ImageSettings
from trainyard_trainer.data.table import Images, Table, Texts, Values
from trainyard_trainer.errors import DataError

IMAGE, LABEL = "image", "label"
PARTS = ("train", "validation", "test")
_NEED = 2.5
CHANNELS = {1: "grey", 3: "colour", 4: "colour with alpha"}


def need_of(shape: Sequence[int], settings: ImageSettings) -> int:
    """Bytes that images (rows, height, width[, channels]) take: as read, and once more in their parts."""
    height, width = settings.size or shape[1:3]
    return int(shape[0] * height * width * (settings.channels or (*shape, 1)[3]) * _NEED)


def pixels_of(array: NDArray[Any], name: str, settings: ImageSettings) -> NDArray[np.uint8]:
    """An array of images as uint8 (rows, channels, height, width), of the size and channels asked for.

    Args:
        array: (rows, height, width) or (rows, height, width, channels).
        name: What to call it in messages.
        settings: Size and channels.

    Raises:
        DataError: Its shape or its values are no images.
    """
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or 0 in array.shape or array.shape[3] not in CHANNELS:
        raise DataError(
            f"{name} has the shape {array.shape}, which is none of images",
            "save it as (rows, height, width), or (rows, height, width, channels) with 1, 3 or 4 channels",
        )
    try:
        pixels = to_uint8(array)
    except PictureError as error:
        raise DataError(f"{name} {error}", "save pixels as whole numbers from 0 to 255") from None
    pixels = with_channels(pixels, settings.channels or pixels.shape[3])
    if settings.size is not None and settings.size != pixels.shape[1:3]:
        pixels = np.stack([resized(picture, *settings.size) for picture in pixels])
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def column_of(array: NDArray[Any], name: str) -> Values:
    """An array (rows,) of numbers, texts or booleans as a column.

    Raises:
        DataError: It is something else.
    """
    flat = array.reshape(len(array), -1) if array.ndim else array
    if array.ndim and flat.shape[1] == 1:  # (rows, 1), as some data sets have their labels
        array = flat[:, 0]
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    values = None
    if array.ndim == 1 and array.dtype.kind in "biufU":
        values = values_of(pa.array(array, from_pandas=True))
    if values is None:
        raise DataError(
            f"{name} holds {array.dtype} of shape {array.shape}, not one label an image",
            "save labels as numbers or texts of shape (rows,)",
        )
    return values


def image_table(images: Images, others: Mapping[str, Values], parts: NDArray[np.int32] | None) -> Table:
    """Images, the part of each (its position in PARTS) where that is known, and the other columns."""
    columns: dict[str, Values] = {IMAGE: images}
    if parts is not None:
        columns[PART] = Texts(PARTS, parts)
    return Table({**columns, **others}, len(images.pixels))
