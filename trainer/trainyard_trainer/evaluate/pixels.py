"""The linear baseline of images: a linear model of the pixels, of large images averaged to 16 x 16.

On MNIST that is as good as one of all 28 x 28 pixels (0.92), for a third of the work.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trainyard_model import Batch, Shape
from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.evaluate.baselines import MOST_ROWS, fit_linear, sample
from trainyard_trainer.fit.feed import DevicePart
from trainyard_trainer.scores import to_scores

_SIDE = 16
_CELLS = 10_000_000
"""Pixels that are fitted at once, 4 bytes each."""
_AT_ONCE = 4_096


def fit_pixels(
    data: Prepared, train: DevicePart, seed: int, stopping: Callable[[], bool]
) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """The linear model of the training images; what it says of rows, by their numbers in the table."""
    shape, device = data.preprocessor.shape(), train.target.device
    image = shape.image
    assert image is not None  # noqa: S101 - asked of images only
    means, scales = torch.tensor(image.means, device=device), torch.tensor(image.scales, device=device)
    size = (min(_SIDE, image.height), min(_SIDE, image.width))
    width = image.channels * size[0] * size[1]

    def inputs(pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Standardised by channel, (rows, numbers), and no categories."""
        shares = functional.adaptive_avg_pool2d(pixels.float() / 255.0, size)
        shares = (shares - means.view(-1, 1, 1)) / scales.view(-1, 1, 1)
        return shares.flatten(1), torch.empty((len(pixels), 0), dtype=torch.int64, device=device)

    some = sample(train, seed, min(MOST_ROWS, max(1, _CELLS // width)))
    blocks = [inputs(pixels) for pixels in torch.split(some.inputs[0], _AT_ONCE)]
    columns = tuple(torch.cat(column) for column in zip(*blocks, strict=True))
    batch = Batch(columns, some.target, some.weight)
    table = Shape(width, (), shape.outputs, shape.classification)
    network = fit_linear(data, batch, table, seed, stopping)

    @torch.inference_mode()
    def scores(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        outputs = []
        for start in range(0, len(rows), _AT_ONCE):
            (pixels,) = data.preprocessor.encode(data.raw(rows[start : start + _AT_ONCE]))
            outputs.append(network.outputs(*inputs(torch.from_numpy(pixels).to(device))))
        return to_scores(data, torch.cat(outputs))

    return scores
