"""Raw rows in, answers out: the one predict path, used by test evaluation, MLflow and the server.

float32 on the CPU unless told otherwise, so that what is reported is what is served.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .package import Package, build_network, read_package
from .preprocess import Columns

_BATCH = 8192


class Predictor:
    """A loaded package."""

    def __init__(self, package: Package, device: str = "cpu") -> None:
        self.package = package
        self.schema = package.schema
        self.device = torch.device(device)
        self._network = build_network(package).to(self.device).eval()

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> Predictor:
        """Read a package folder.

        Raises:
            PackageError: The folder holds no package that this version reads.
        """
        return cls(read_package(Path(folder)), device)

    @torch.inference_mode()
    def scores(self, columns: Columns) -> NDArray[np.float64]:
        """Class probabilities (rows, classes), or predicted values (rows, 1), in float64."""
        numeric, codes = self.package.preprocessor.encode(columns)
        parts = []
        for start in range(0, len(numeric), _BATCH):
            rows = slice(start, start + _BATCH)
            out, _ = self._network(
                torch.from_numpy(numeric[rows]).to(self.device), torch.from_numpy(codes[rows]).to(self.device)
            )
            parts.append(self._finish(out.double()).cpu().numpy())
        width = len(self.schema.classes) or 1
        return np.concatenate(parts) if parts else np.empty((0, width))

    def predict(self, columns: Columns) -> dict[str, NDArray[Any]]:
        """Output columns by name: `prediction`, and for classes one `probability_<class>` each."""
        scores = self.scores(columns)
        if self.schema.task == "Regression":
            return {"prediction": scores[:, 0]}
        best = scores.argmax(1)
        labels = np.asarray(self.schema.classes)[best]
        names = self.schema.outputs[1:]
        return {"prediction": labels, **{name: scores[:, i] for i, name in enumerate(names)}}

    def _finish(self, out: torch.Tensor) -> torch.Tensor:
        if self.schema.task == "Classification":
            return torch.softmax(out, dim=1)
        return out * self.package.target_scale + self.package.target_mean
