"""A column of images: pixels of one size and number of channels."""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelInputError
from ..families.base import ImageShape, Kind, Shape
from ..pictures import PIXELS_AT_MOST, Picture, PictureError, decode, resized, to_png, to_uint8, with_channels
from ..schema import Schema
from ..values import to_list
from .base import Columns, Floats, Inputs, Preprocessor, row_count

_SLICE_PIXELS, _ALWAYS = 2**18, 2**22
_CELL = "a PNG or JPEG file in base64, or rows of pixels"
FORMATS = ("PNG", "JPEG")
CHANNELS = (1, 3, 4)


@dataclass(frozen=True, slots=True)
class ImagePreprocessor(Preprocessor):
    """How images become pixels. A cell is a file in base64, its bytes, or pixels (H, W) or (H, W, C).

    Attributes:
        schema: Its one column.
        height: Rows of pixels.
        width: Columns of pixels.
        channels: 1 grey, 3 colour, 4 with alpha; images that have others are converted.
        resize: Whether images of another size are brought to this one; else they are refused.
        means: Of each channel over the training pixels, as shares of 255.
        scales: Their standard deviations, likewise.
    """

    kind: ClassVar[Kind] = "image"
    example_rows: ClassVar[int] = 2

    schema: Schema
    height: int
    width: int
    channels: int
    resize: bool
    means: tuple[float, ...]
    scales: tuple[float, ...]

    @property
    def column(self) -> str:
        """Name of the image column."""
        return self.schema.columns[0].name

    @property
    def slice_rows(self) -> int:
        """So that the maps of a convolution with many channels stay small."""
        return max(4, _SLICE_PIXELS // (self.height * self.width))

    def shape(self) -> Shape:
        """What the data say of the network."""
        schema = self.schema
        image = ImageShape(self.channels, self.height, self.width, self.means, self.scales)
        return Shape(0, (), schema.width, bool(schema.classes), image=image)

    def encode(self, columns: Columns) -> Inputs:
        """Rows as (pixels uint8 (rows, channels, height, width),).

        Raises:
            ModelInputError: The column is missing, or a cell is no image or one of another size.
        """
        rows, cells = row_count(self.schema, columns), columns[self.column]
        out = np.empty((rows, self.channels, self.height, self.width), dtype=np.uint8)
        if isinstance(cells, np.ndarray) and cells.dtype == np.uint8 and cells.ndim in (3, 4):
            pictures = cells if cells.ndim == 4 else cells[..., None]
            if pictures.shape[1:3] == (self.height, self.width) and pictures.shape[3] in CHANNELS:
                out[:] = with_channels(pictures, self.channels).transpose(0, 3, 1, 2)
                return (out,)
        for row, cell in enumerate(cells if isinstance(cells, np.ndarray) else to_list(cells)):
            out[row] = self._fitted(cell, row).transpose(2, 0, 1)
        return (out,)

    def _fitted(self, cell: Any, row: int) -> Picture:
        """One cell as (height, width, channels)."""
        try:
            picture = read_cell(cell, self._at_most)
        except PictureError as error:
            raise self._refused(row, _CELL, f"one that {error}") from None
        height, width = picture.shape[:2]
        if (height, width) != (self.height, self.width) and not self.resize:
            expected = f"{self.width} x {self.height} pixels (width x height)"
            raise self._refused(row, expected, f"{width} x {height}")
        return resized(with_channels(picture, self.channels), self.height, self.width)

    @property
    def _at_most(self) -> int:
        """Pixels of a file to be decoded: no more than can be of use, except to say which size it has."""
        return PIXELS_AT_MOST if self.resize else max(_ALWAYS, self.height * self.width)

    def _refused(self, row: int, expected: str, got: str) -> ModelInputError:
        return ModelInputError(column=self.column, row=row, expected=expected, got=got)

    def explained(self, columns: Columns, weights: list[Floats]) -> dict[str, Floats]:
        """A number a pixel, (rows, height, width), in the size that the network sees."""
        return {self.column: np.concatenate(weights) if weights else np.empty((0, self.height, self.width))}

    def importance(self, slices: Iterable[tuple[Inputs, Floats]]) -> dict[str, float]:
        """Nothing: a place in the image means another thing in each."""
        return {}

    def example(self, columns: Columns) -> dict[str, list[Any]]:
        """Files in base64, in the size that the network sees: PNG loses nothing."""
        (pixels,) = self.encode(columns)
        files = [to_png(picture) for picture in pixels.transpose(0, 2, 3, 1)]
        return {self.column: [base64.b64encode(file).decode("ascii") for file in files]}

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives an equal object back."""
        return {
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "resize": self.resize,
            "means": list(self.means),
            "scales": list(self.scales),
        }

    @classmethod
    def from_json(
        cls, schema: Schema, value: Mapping[str, Any], files: Mapping[str, bytes]
    ) -> ImagePreprocessor:
        """The inverse of `to_json`."""
        numbers = (value["height"], value["width"], value["channels"], value["resize"])
        return cls(schema, *numbers, tuple(value["means"]), tuple(value["scales"]))


def read_cell(cell: Any, at_most: int = PIXELS_AT_MOST) -> Picture:
    """One cell, of whatever kind, as (height, width, channels).

    Raises:
        PictureError: It is no picture; the message says why.
    """
    if isinstance(cell, str):
        return decode(_from_base64(cell), formats=FORMATS, at_most=at_most)
    if isinstance(cell, bytes | bytearray | memoryview):
        return decode(bytes(cell), formats=FORMATS, at_most=at_most)
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        raise PictureError("is not there")
    values = _numbers(cell)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or 0 in values.shape or values.shape[2] not in CHANNELS:
        shape = " x ".join(str(size) for size in values.shape) or "one value"
        raise PictureError(f"is an array of {shape}, not (height, width) or (height, width, channels)")
    return to_uint8(values)


def _from_base64(text: str) -> bytes:
    """The bytes of a text in base64, which may be a data: URI or broken into lines."""
    head, comma, rest = text.partition(",")
    body = rest if comma and head.startswith("data:") else text
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except ValueError:
        raise PictureError("is a text that is no base64") from None


def _numbers(cell: Any) -> NDArray[Any]:
    """Nested lists, an array, or arrays in arrays of objects, as data frames that were files hold them."""
    try:
        values: NDArray[Any] = np.asarray(cell)
        if values.dtype == object:
            values = np.array([[np.asarray(pixel, dtype=np.float64) for pixel in line] for line in cell])
    except (TypeError, ValueError):
        raise PictureError("has rows of different lengths, or holds no numbers") from None
    return values
