"""Judge the finished model: by its package, on the CPU, as it will be served; the test rows are used once.

What comes out are metrics by full name for MLflow and the result, and `evaluation.json` with everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_model import Predictor
from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.evaluate import baselines, threshold
from trainyard_trainer.evaluate.intervals import LEVEL, bootstrap
from trainyard_trainer.evaluate.judge import Judged, evaluate, prefixed
from trainyard_trainer.evaluate.pixels import fit_pixels
from trainyard_trainer.evaluate.settings import EvaluationSettings
from trainyard_trainer.evaluate.tfidf import fit_tfidf
from trainyard_trainer.fit.feed import DevicePart
from trainyard_trainer.fit.loop import Fitter
from trainyard_trainer.package.build import in_memory
from trainyard_trainer.scores import to_scores

FORMAT_VERSION = 1
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one part with the truth, as users would pass them."""

    columns: Mapping[str, NDArray[Any]]
    target: NDArray[Any]
    weights: Floats | None

    @classmethod
    def of(cls, data: Prepared, rows: NDArray[np.int64]) -> Rows:
        """Raw cells; encoding them is the package's work."""
        weights = None if data.weights is None else data.weights[rows]
        return cls(data.raw(rows), data.target.values[rows], weights)

    def __len__(self) -> int:
        return len(self.target)


def choose_threshold(data: Prepared, fitter: Fitter, settings: EvaluationSettings) -> float | None:
    """The decision threshold of two classes, from the validation rows; None where there is none to choose."""
    if len(data.target.classes) != 2 or not len(fitter.validation):
        return None
    scores = to_scores(data, fitter.outputs(fitter.validation))
    weights = None if data.weights is None else data.weights[data.rows.validation]
    truth = data.target.values[data.rows.validation]
    return threshold.choose(scores[:, 1], truth.astype(np.int64), weights, settings.threshold_metric)


def assess(data: Prepared, predictor: Predictor, settings: EvaluationSettings, metric: str) -> dict[str, Any]:
    """`evaluation.json` without baselines and folds.

    Args:
        data: With its parts.
        predictor: Of the package.
        settings: What to do.
        metric: The metric that chose the epoch.
    """
    task, at = data.target.task, predictor.package.threshold
    document: dict[str, Any] = {
        "formatVersion": FORMAT_VERSION,
        "task": task,
        "metric": metric,
        "threshold": at,
        "rows": {part: len(getattr(data.rows, part)) for part in ("train", "validation", "test")},
    }
    if at is not None:
        document["thresholdMetric"] = settings.threshold_metric
    for part in ("validation", "test"):
        if not len(numbers := getattr(data.rows, part)):
            continue
        rows = Rows.of(data, numbers)
        scores = predictor.scores(rows.columns)
        found = evaluate(task, scores, rows.target, rows.weights, at)
        judged = Judged(task, scores, rows.target, at)
        document |= _of_each(data, judged, rows, part)
        if part == "validation":
            document[part] = found
        else:
            document |= _with_intervals(judged, rows, found, settings)
    return document


def _with_intervals(
    judged: Judged, rows: Rows, found: Mapping[str, float], settings: EvaluationSettings
) -> dict[str, Any]:
    intervals = bootstrap(judged, rows.weights, settings.bootstrap_samples, settings.seed)
    test = {name: {"value": value} for name, value in found.items()}
    for name, (low, high) in intervals.bounds.items():
        if name in test:
            test[name] |= {"low": low, "high": high}
    about = {"method": "percentile bootstrap", "level": LEVEL, "samples": intervals.samples}
    return {"test": test, **({"intervals": about} if intervals.samples else {})}


def _of_each(data: Prepared, judged: Judged, rows: Rows, part: str) -> dict[str, Any]:
    """One row a class or target; of the test rows where there are any, since they come last."""
    if data.target.task == "Classification":
        return {"perClass": judged.per_class(data.target.classes, rows.weights), "perClassOf": part}
    if len(data.target.names) > 1:
        return {"perTarget": judged.per_target(data.target.names, rows.weights), "perTargetOf": part}
    return {}


def metrics_of(document: Mapping[str, Any]) -> dict[str, float]:
    """Metrics by full name; those of the test come first, because a long result loses its last ones."""
    return {
        **prefixed("test", {name: item["value"] for name, item in document.get("test", {}).items()}),
        **prefixed("oof", {name: item["value"] for name, item in document.get("oof", {}).items()}),
        **prefixed("val", document.get("validation", {})),
        **{f"oof_{name}_std": o["std"] for name, o in document.get("oof", {}).items() if "std" in o},
    }


def assess_baselines(
    data: Prepared, train: DevicePart, settings: EvaluationSettings, stopping: Callable[[], bool]
) -> dict[str, float]:
    """Test metrics of both baselines, `test_baseline_...` and `test_majority_...`."""
    test = Rows.of(data, data.rows.test)
    task = data.target.task
    constant = evaluate(task, baselines.constant_scores(data, len(test)), test.target, test.weights)
    scores = _linear(data, train, settings, stopping)
    at = None
    if len(data.target.classes) == 2 and len(data.rows.validation):
        known = Rows.of(data, data.rows.validation)
        positive = scores(data.rows.validation)[:, 1]
        at = threshold.choose(positive, known.target, known.weights, settings.threshold_metric)
    linear = evaluate(task, scores(data.rows.test), test.target, test.weights, at)
    return {
        **prefixed(f"test_{baselines.LINEAR}", linear),
        **prefixed(f"test_{baselines.MAJORITY}", constant),
    }


def _linear(
    data: Prepared, train: DevicePart, settings: EvaluationSettings, stopping: Callable[[], bool]
) -> Callable[[NDArray[np.int64]], Floats]:
    """Scores of rows, by their numbers, of a linear model of the training rows."""
    if data.preprocessor.kind == "text":
        return fit_tfidf(data, settings.seed)
    if data.preprocessor.kind == "image":
        return fit_pixels(data, train, settings.seed, stopping)
    batch = baselines.sample(train, settings.seed)
    network = baselines.fit_linear(data, batch, data.preprocessor.shape(), settings.seed, stopping)
    predictor = in_memory(baselines.FAMILY, network, data)
    return lambda rows: predictor.scores(data.raw(rows))
