"""Raw rows in, answers out: the one predict path, used by test evaluation, MLflow and the server.

float32 on the CPU unless told otherwise, so that what is reported is what is served.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import ModelInputError
from .package import Package, build_network, read_package
from .preprocess import Columns, Inputs, cut, row_count
from .schema import PREDICTION

Floats = NDArray[np.float64]


class Predictor:
    """A loaded package.

    Args:
        package: What was read.
        device: Where the network works.
        threads: Of a CPU, for large sets of rows; torch's own number where silent.
    """

    def __init__(self, package: Package, device: str = "cpu", threads: int | None = None) -> None:
        self.package = package
        self.schema = package.schema
        self.device = torch.device(device)
        self._network = build_network(package).to(self.device).eval()
        self._rows_at_a_time = package.preprocessor.slice_rows
        self._workers = self._network.share_out(self._rows_at_a_time, threads or torch.get_num_threads())

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu", threads: int | None = None) -> Predictor:
        """Read a package folder.

        Raises:
            PackageError: The folder holds no package that this version reads.
        """
        return cls(read_package(Path(folder)), device, threads)

    def scores(self, columns: Columns) -> Floats:
        """Class probabilities (rows, classes), or predicted values (rows, targets), in float64."""
        with torch.inference_mode():
            parts = [self._finish(out).numpy() for _, out in self._slices(columns, self._network.outputs)]
        return np.concatenate(parts) if parts else np.empty((0, self.schema.width))

    def predict(self, columns: Columns) -> dict[str, NDArray[Any]]:
        """Output columns by the names in `schema.outputs`.

        `prediction`, and for classes one `probability_<class>` each; with several targets one
        `prediction_<target>` each.
        """
        scores = self.scores(columns)
        if not self.schema.classes:
            return {name: scores[:, i] for i, name in enumerate(self.schema.outputs)}
        names = self.schema.outputs[1:]
        labels = np.asarray(self.schema.classes)[self.chosen(scores)]
        return {PREDICTION: labels, **{name: scores[:, i] for i, name in enumerate(names)}}

    def chosen(self, scores: Floats) -> NDArray[np.int64]:
        """Class numbers that probabilities (rows, classes) lead to: the likeliest, or by the threshold."""
        if self.package.threshold is None or scores.shape[1] != 2:
            return np.asarray(scores.argmax(1))
        return (scores[:, 1] >= self.package.threshold).astype(np.int64)

    def explain(self, columns: Columns) -> dict[str, Any]:
        """How much each part of the input counted for each row's answer, by column.

        Of a table's column an array (rows,). Of texts a list with the tokens of each row: their `text`, where
        they `start` and `end` in the cell, and their `weight`. Of images an array (rows, height, width).
        """
        weights = [found for _, found in self._explanations(columns)]
        return self.package.preprocessor.explained(columns, weights)

    def importance(self, columns: Columns) -> dict[str, float]:
        """Shares in the explanations of all rows, summed as they come, that add up to 1.

        Of a table's columns, or of the tokens of texts that count most; pixels have none.
        """
        return self.package.preprocessor.importance(self._explanations(columns))

    def _explanations(self, columns: Columns) -> Iterator[tuple[Inputs, Floats]]:
        for inputs, out in self._slices(columns, self._network.explain):
            yield inputs, out.double().cpu().numpy()

    def _slices(self, columns: Columns, ask: Callable[..., Tensor]) -> Iterator[tuple[Inputs, Tensor]]:
        """What goes in and what comes out, for consecutive slices of the rows."""
        schema, size = self.schema, self._rows_at_a_time
        rows = row_count(schema, columns)
        with _one_thread_each(self._workers):
            for start in range(0, rows, size):
                inputs = self._encoded(cut(schema, columns, slice(start, start + size)), start)
                yield inputs, ask(*(torch.from_numpy(part).to(self.device) for part in inputs)).detach()

    def _encoded(self, columns: Columns, start: int) -> Inputs:
        try:
            return self.package.preprocessor.encode(columns)
        except ModelInputError as error:
            raise error.moved(start) from None

    def _finish(self, out: Tensor) -> Tensor:
        out = out.double().cpu()
        if self.schema.classes:
            return torch.softmax(out, dim=1)
        scales, means = (
            torch.tensor(values, dtype=torch.float64)
            for values in (self.package.target_scales, self.package.target_means)
        )
        return out * scales + means


@contextlib.contextmanager
def _one_thread_each(workers: int) -> Iterator[None]:
    """While a network does parts side by side, its operators have one thread each."""
    threads = torch.get_num_threads()
    if workers == 1 or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
