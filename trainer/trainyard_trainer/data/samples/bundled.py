"""Data sets that come with scikit-learn: small, fixed, and imported only when one is asked for."""

from __future__ import annotations

import numpy as np

from trainyard_trainer.data.images.build import LABEL, image_table
from trainyard_trainer.data.table import Images, Numbers, Table, Texts, Values

TARGET = "target"
NAMES = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")
_NAMED = ("breast_cancer", "iris", "wine")


IMAGES = ("digits",)


def images(name: str) -> tuple[Table, list[str]]:
    """The named data set as images: 8 x 8 pixels, whose sixteen shades become 0 to 255."""
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    pixels = np.rint(bunch.images * (255.0 / 16.0)).astype(np.uint8)[:, None]
    return image_table(Images(pixels), {LABEL: Numbers(bunch.target.astype(np.float64))}, None), []


def make(name: str) -> tuple[Table, list[str]]:
    """The named data set; its last column is `target`, as text where scikit-learn names the classes."""
    import sklearn.datasets  # takes seconds to import, and only samples need it

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    columns: dict[str, Values] = {
        str(feature): Numbers(np.ascontiguousarray(bunch.data[:, i], dtype=np.float64))
        for i, feature in enumerate(bunch.feature_names)
    }
    if name == "linnerud":
        targets = [str(target) for target in bunch.target_names]
        for i, target in enumerate(targets):
            columns[target] = Numbers(np.ascontiguousarray(bunch.target[:, i], dtype=np.float64))
        notice = f"linnerud has three targets: set data.targets: [{', '.join(targets)}] to predict them all"
        return Table(columns, len(bunch.target)), [notice]
    if name in _NAMED:
        words = tuple(str(word) for word in bunch.target_names)
        columns[TARGET] = Texts(words, bunch.target.astype(np.int32))
    else:
        columns[TARGET] = Numbers(bunch.target.astype(np.float64))
    return Table(columns, len(bunch.target)), []
