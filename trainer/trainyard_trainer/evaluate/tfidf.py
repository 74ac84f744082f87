"""The linear model of texts: which words they hold and how rare those are, whatever their order.

TF-IDF of words and a logistic regression, or a ridge regression for values, as scikit-learn has them: what
anybody would try first, and what a network that reads must beat.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.data.table import Rows

Floats = NDArray[np.float64]
_MOST_ROWS, _MOST_WORDS = 50_000, 100_000


def fit_tfidf(data: Prepared, seed: int) -> Callable[[Rows], Floats]:
    """Fit to the training rows, at most 50,000 of them; what comes back gives scores of rows by number."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge

    train = data.rows.train
    if len(train) > _MOST_ROWS:
        train = np.sort(np.random.default_rng(seed).choice(train, _MOST_ROWS, replace=False))
    classes = data.target.classes
    words = TfidfVectorizer(sublinear_tf=True, max_features=_MOST_WORDS)
    features = words.fit_transform(_texts(data, train))
    target = data.target.values[train]
    model = LogisticRegression(max_iter=1_000) if classes else Ridge()
    model.fit(features, target, None if data.weights is None else data.weights[train])

    def scores(rows: Rows) -> Floats:
        found = words.transform(_texts(data, rows))
        if not classes:
            return np.asarray(model.predict(found), dtype=np.float64).reshape(len(rows), -1)
        return np.asarray(model.predict_proba(found), dtype=np.float64)

    return scores


def _texts(data: Prepared, rows: Rows) -> list[str]:
    (cells,) = data.raw(rows).values()
    return [cell or "" for cell in cells.tolist()]
