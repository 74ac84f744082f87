"""A column of images: means and spreads of the training pixels, and rows encoded as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_model.preprocess import ImagePreprocessor
from trainyard_model.schema import Schema
from trainyard_trainer.data.settings import ImageSettings
from trainyard_trainer.data.table import Images, Rows

_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class FittedImages:
    """The preprocessor, and the images whose rows it encodes."""

    preprocessor: ImagePreprocessor
    images: Images
    notices: tuple[str, ...] = ()

    def inputs(self, rows: Rows) -> tuple[NDArray[Any], ...]:
        """Pixels uint8 (rows, channels, height, width): the network itself scales them."""
        return (self.images.pixels[rows],)

    def lengths(self, rows: Rows) -> None:
        """None."""


def fit_images(images: Images, schema: Schema, rows: Rows, settings: ImageSettings) -> FittedImages:
    """Mean and standard deviation of each channel over all pixels of the training rows, as shares of 255."""
    _, channels, height, width = images.pixels.shape
    counts = np.zeros((channels, 256), dtype=np.int64)
    step = max(1, _AT_ONCE // (height * width))
    for start in range(0, len(rows), step):
        block = images.pixels[rows[start : start + step]]
        for channel in range(channels):
            counts[channel] += np.bincount(block[:, channel].ravel(), minlength=256)
    values = np.arange(256) / 255.0
    shares = counts / counts.sum(1, keepdims=True)
    means = shares @ values
    spreads = np.sqrt(np.maximum(shares @ values**2 - means**2, 0.0))
    scales = np.where(spreads > 1e-6, spreads, 1.0)  # a channel of one value, as an alpha that is all opaque
    resize = settings.size is not None
    fitted = ImagePreprocessor(
        schema, height, width, channels, resize, tuple(means.tolist()), tuple(scales.tolist())
    )
    return FittedImages(fitted, images)
