"""A network's outputs as answers: what the package's predict path makes of them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainyard_trainer.data.prepare import Prepared


def to_scores(data: Prepared, outputs: Tensor) -> NDArray[np.float64]:
    """Probabilities (rows, classes), or values (rows, targets) in the targets' own units."""
    outputs = outputs.double().cpu()
    if data.target.task == "Classification":
        return np.asarray(torch.softmax(outputs, 1).numpy())
    return np.asarray(outputs.numpy() * np.array(data.target_scales) + np.array(data.target_means))
