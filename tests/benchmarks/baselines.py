"""What scikit-learn says to the same rows: gradient boosting, and linear models on the same folds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.preprocessing import OneHotEncoder

from tests.benchmarks.runs import data_of
from trainyard_trainer.data.prepare import Prepared, folds, understand


def gradient_boosting(train: Path, test: Path, target: str) -> dict[str, float]:
    """HistGradientBoosting with its defaults, on all rows of the training file."""
    import pandas

    frames = [pandas.read_csv(file, na_values=["?"]) for file in (train, test)]
    labels = [frame.pop(target) == ">50K" for frame in frames]
    for column in frames[0].select_dtypes(exclude="number"):
        known = pandas.CategoricalDtype(sorted(frames[0][column].dropna().unique()))
        for frame in frames:
            frame[column] = frame[column].astype(known)
    start = time.monotonic()
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    scores = model.fit(frames[0], labels[0]).predict_proba(frames[1])[:, 1]
    return {
        "accuracy": float(accuracy_score(labels[1], scores > 0.5)),
        "roc_auc": float(roc_auc_score(labels[1], scores)),
        "seconds": time.monotonic() - start,
    }


def linear(name: str, seed: int, *changes: str) -> dict[str, float]:
    """Logistic or ridge regression (C = alpha = 1) over the folds of a manifest, trained on all other rows.

    The rows of a repeat are judged together, and repeats averaged, as the trainer does.
    """
    table, notices, settings = data_of(name, seed, *changes)
    repeats: dict[int, list[tuple[NDArray[Any], NDArray[Any]]]] = {}
    for fold in folds(understand(table, settings, notices)):
        repeats.setdefault(fold.repeat, []).append(_fold(fold.data))
    found = [
        _judge(*(np.concatenate(parts) for parts in zip(*pairs, strict=True))) for pairs in repeats.values()
    ]
    return {metric: float(np.mean([one[metric] for one in found])) for metric in found[0]}


def _fold(data: Prepared) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scores of the fold's rows and their truth."""
    known = np.concatenate([data.rows.train, data.rows.validation])
    numbers, codes = data.preprocessor.encode(data.raw(known))
    judged, judged_codes = data.preprocessor.encode(data.raw(data.rows.test))
    if codes.shape[1]:
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(codes)
        numbers = np.hstack([numbers, encoder.transform(codes)])
        judged = np.hstack([judged, encoder.transform(judged_codes)])
    target = data.target.values
    if data.target.classes:
        model = LogisticRegression(max_iter=2000).fit(numbers, target[known])
        return model.predict_proba(judged), target[data.rows.test]
    ridge = Ridge(alpha=1.0).fit(numbers, target[known][:, 0])
    return ridge.predict(judged), target[data.rows.test][:, 0]


def _judge(scores: NDArray[Any], truth: NDArray[Any]) -> dict[str, float]:
    if scores.ndim == 1:
        return {"r2": float(r2_score(truth, scores))}
    area = (
        roc_auc_score(truth, scores[:, 1])
        if scores.shape[1] == 2
        else roc_auc_score(truth, scores, multi_class="ovr")
    )
    return {"roc_auc": float(area), "accuracy": float((scores.argmax(1) == truth).mean())}
