"""Metrics of a set of rows, by name without the part's prefix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_model.schema import Label, Task
from trainyard_trainer.evaluate.classification import Classified, Threshold, of_each_class
from trainyard_trainer.evaluate.names import names
from trainyard_trainer.evaluate.regression import Predicted
from trainyard_trainer.evaluate.sums import Floats

_MOST_CLASSES = 256


class Judged:
    """Rows with scores and truth, prepared once; `values` then takes any weights.

    Args:
        task: Classification or Regression.
        scores: Probabilities (rows, classes), or predicted values (rows, targets) in the targets' own units.
        target: Classes (rows,), or true values (rows,) or (rows, targets).
        threshold: Decision threshold on the second class's probability, one for all or one a row; the
            likeliest class where None.
    """

    def __init__(self, task: Task, scores: Floats, target: NDArray[Any], threshold: Threshold = None) -> None:
        self.task, self.rows, self.width = task, len(target), scores.shape[1]
        self._of: Classified | Predicted
        if task == "Classification":
            self._of = Classified(scores, target, threshold)
        else:
            self._of = Predicted(scores, target.reshape(len(target), -1).astype(np.float64))

    def values(self, weights: Floats, areas: bool = True) -> dict[str, Floats]:
        """Every metric for each row of weights, (S, rows) -> (S,); NaN where one is not defined."""
        if isinstance(self._of, Classified):
            return self._of.metrics(weights, areas)
        return {name: value.mean(1) for name, value in self._of.metrics(weights).items()}

    def per_target(self, targets: Sequence[str], weights: NDArray[Any] | None) -> list[dict[str, Any]]:
        """Metrics of each of several targets."""
        assert isinstance(self._of, Predicted)  # noqa: S101 - of a regression
        found = self._of.metrics(_as_matrix(weights, self.rows))
        return [
            {"target": name, **finite({metric: float(value[0, i]) for metric, value in found.items()})}
            for i, name in enumerate(targets)
        ]

    def per_class(self, classes: Sequence[Label], weights: NDArray[Any] | None) -> list[dict[str, Any]]:
        """Metrics of each class against the rest, for at most 256 classes."""
        assert isinstance(self._of, Classified)  # noqa: S101 - of a classification
        matrix = _as_matrix(weights, self.rows)
        actual, predicted, hits = self._of.counts(matrix)
        found = of_each_class(actual, predicted, hits)
        rows = np.bincount(self._of.target, minlength=self.width)
        table = [
            {
                "class": label,
                "rows": int(rows[i]),
                **finite({metric: float(value[0, i]) for metric, value in found.items()}),
            }
            for i, label in enumerate(classes[:_MOST_CLASSES])
        ]
        if self.width > 2:
            for row, ranking in zip(table, self._of.rankings, strict=False):
                roc, precision = ranking.areas(matrix)
                row |= finite({"roc_auc": float(roc[0]), "pr_auc": float(precision[0])})
        return table


def evaluate(
    task: Task,
    scores: Floats,
    target: NDArray[Any],
    weights: NDArray[Any] | None = None,
    threshold: Threshold = None,
) -> dict[str, float]:
    """All metrics of a task; one that is not defined on these rows (AUC of one class) is left out."""
    judged = Judged(task, scores, target, threshold)
    found = judged.values(_as_matrix(weights, len(target)))
    return finite({name: float(found[name][0]) for name in names(task, scores.shape[1])})


def prefixed(part: str, metrics: Mapping[str, float]) -> dict[str, float]:
    """Names with their part: `val_roc_auc`."""
    return {f"{part}_{name}": value for name, value in metrics.items()}


def with_prefix(metrics: Mapping[str, float], prefix: str, keep: bool = False) -> dict[str, float]:
    """Those whose name begins so, without the beginning unless it is to be kept."""
    cut = 0 if keep else len(prefix)
    return {name[cut:]: value for name, value in metrics.items() if name.startswith(prefix)}


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Only what is defined; MLflow and JSON have no NaN worth keeping."""
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _as_matrix(weights: NDArray[Any] | None, rows: int) -> Floats:
    return np.ones((1, rows)) if weights is None else weights.astype(np.float64)[None]
