"""Data sets that come with scikit-learn, under `sample://`: small, fixed, and there without a network."""

from __future__ import annotations

import numpy as np

from trainyard_trainer.data.table import Numbers, Table, Texts, Values
from trainyard_trainer.errors import InvalidSpec, closest

TARGET = "target"
NAMES = ("breast_cancer", "diabetes", "digits", "iris", "wine")


def sample(name: str) -> Table:
    """The named data set; its last column is `target`, as text where scikit-learn names the classes.

    Raises:
        InvalidSpec: There is no such sample.
    """
    if name not in NAMES:
        raise InvalidSpec(
            f"data.source.uri: there is no sample '{name}'; {closest(name, list(NAMES))}",
            "use one of " + ", ".join(f"sample://{n}" for n in NAMES),
        )
    import sklearn.datasets  # takes seconds to import, and only samples need it

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    columns: dict[str, Values] = {
        str(feature): Numbers(np.ascontiguousarray(bunch.data[:, i], dtype=np.float64))
        for i, feature in enumerate(bunch.feature_names)
    }
    named = name in ("breast_cancer", "iris", "wine")
    if named:
        words = tuple(str(word) for word in bunch.target_names)
        columns[TARGET] = Texts(words, bunch.target.astype(np.int32))
    else:
        columns[TARGET] = Numbers(bunch.target.astype(np.float64))
    return Table(columns, len(bunch.target))
