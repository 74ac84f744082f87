"""A column of images: pixels of one size and number of channels."""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelInputError
from ..families.base import ImageShape, Kind, Shape
from ..schema import Schema
from ..values import to_list
from .base import Columns, Floats, Inputs, Preprocessor, row_count
from .pixels import Pixels, decode, encode, resized, to_channels

_SLICE_PIXELS = 2**18
_CELL = "a PNG or JPEG file in base64, or its pixels"


@dataclass(frozen=True, slots=True)
class ImagePreprocessor(Preprocessor):
    """How images become pixels. A cell is a file in base64, its bytes, or pixels (H, W) or (H, W, C).

    Attributes:
        schema: Its one column.
        height: Rows of pixels.
        width: Columns of pixels.
        channels: 1 grey, 2 with alpha, 3 colour, 4 with alpha; images that have others are converted.
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
        if isinstance(cells, np.ndarray) and cells.ndim in (3, 4) and cells.dtype == np.uint8:
            images = cells if cells.ndim == 4 else cells[..., None]
            if images.shape[1:3] == (self.height, self.width) and images.shape[3] in (1, 2, 3, 4):
                out[:] = to_channels(images, self.channels).transpose(0, 3, 1, 2)
                return (out,)
        for row, cell in enumerate(cells if isinstance(cells, np.ndarray) else to_list(cells)):
            out[row] = self._fitted(cell, row).transpose(2, 0, 1)
        return (out,)

    def _fitted(self, cell: Any, row: int) -> Pixels:
        """One cell as (height, width, channels)."""
        try:
            pixels = read_cell(cell)
        except ValueError as error:
            raise self._refused(row, _CELL, str(error)) from None
        height, width = pixels.shape[:2]
        if (height, width) != (self.height, self.width) and not self.resize:
            expected = f"{self.width} x {self.height} pixels (width x height)"
            raise self._refused(row, expected, f"{width} x {height}")
        return resized(to_channels(pixels, self.channels), self.height, self.width)

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
        files = [encode(image) for image in pixels.transpose(0, 2, 3, 1)]
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


def read_cell(cell: Any) -> Pixels:
    """One cell, of whatever kind, as (height, width, channels).

    Raises:
        ValueError: It is no image; the message says what it is.
    """
    if isinstance(cell, str):
        return decode(_from_base64(cell))
    if isinstance(cell, bytes | bytearray | memoryview):
        return decode(bytes(cell))
    if cell is None or (isinstance(cell, float) and cell != cell):
        raise ValueError("nothing")
    return _from_numbers(cell)


def _from_base64(text: str) -> bytes:
    """The bytes of a text in base64, which may be a data: URI or broken into lines."""
    head, comma, rest = text.partition(",")
    body = rest if comma and head.startswith("data:") else text
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("text that is no base64") from None


def _from_numbers(cell: Any) -> Pixels:
    try:
        values: NDArray[Any] = np.asarray(cell)
    except ValueError:
        raise ValueError("rows of different lengths") from None
    if values.dtype == object or values.dtype.kind not in "iuf":
        values = _stacked(cell)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or 0 in values.shape or values.shape[2] not in (1, 2, 3, 4):
        shape = " x ".join(str(size) for size in values.shape) or "one value"
        raise ValueError(
            f"an array of {shape}, which is neither (height, width) nor (height, width, channels)"
        )
    if values.dtype != np.uint8:
        whole = values.astype(np.float64)
        if not ((whole >= 0) & (whole <= 255) & (whole == np.floor(whole))).all():
            raise ValueError("pixels that are no whole numbers from 0 to 255")
    return values.astype(np.uint8)


def _stacked(cell: Any) -> NDArray[Any]:
    """Arrays within arrays of objects, as data frames that were files hold them."""
    try:
        return np.array([np.stack([np.asarray(p) for p in line]) for line in cell], dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("neither text nor numbers") from None
