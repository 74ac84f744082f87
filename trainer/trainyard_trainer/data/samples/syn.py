"""Syn1 to Syn6: eleven independent normal features, of which a few decide the class, and it is known which.

Formulas of L2X (Chen et al., 2018) and INVASE (Yoon et al., 2019) as in INVASE's published code, whose Syn3
has sin(0.2 x7) and |x8| where the paper prints sin(2 x7) and 2|x8|: the published figures come from the code.
P(y = 1) = 1 / (1 + exp(logit)). In Syn4 to Syn6, x11 chooses between two logits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.samples import draw
from trainyard_trainer.data.table import Numbers, Table, Texts, Values

Features = NDArray[np.float64]
NAMES = ("syn1", "syn2", "syn3", "syn4", "syn5", "syn6")
FEATURES = tuple(f"x{i}" for i in range(1, 12))
TARGET = "y"
_SWITCH = 10
_LOGITS: dict[str, Callable[[Features], NDArray[np.float64]]] = {
    "syn1": lambda x: x[:, 0] * x[:, 1],
    "syn2": lambda x: np.asarray((x[:, 2:6] ** 2).sum(1) - 4.0),
    "syn3": lambda x: np.asarray(
        -10.0 * np.sin(0.2 * x[:, 6]) + np.abs(x[:, 7]) + x[:, 8] + np.exp(-x[:, 9]) - 2.4
    ),
}
_USED = {"syn1": (0, 1), "syn2": (2, 3, 4, 5), "syn3": (6, 7, 8, 9)}
_CHOICE = {"syn4": ("syn1", "syn2"), "syn5": ("syn1", "syn3"), "syn6": ("syn2", "syn3")}


def maker(name: str) -> Callable[[int, int, str], Table]:
    """The generator of one of the six."""

    def make(rows: int, seed: int, part: str) -> Table:
        numbers = np.arange(rows, dtype=np.uint64)
        x = np.stack([draw.normal(numbers, seed, i) for i in range(len(FEATURES))], axis=1)
        y = draw.uniform(numbers, seed, 1_000) < probability(name, x)
        columns: dict[str, Values] = {f: Numbers(x[:, i].copy()) for i, f in enumerate(FEATURES)}
        columns[TARGET] = Texts(("no", "yes"), y.astype(np.int32))
        return Table(columns, rows)

    return make


def probability(name: str, x: Features) -> NDArray[np.float64]:
    """P(y = 'yes') of each row of (rows, 11): the best that any model can say."""
    if name in _LOGITS:
        logit = _LOGITS[name](x)
    else:
        below, above = _CHOICE[name]
        logit = np.where(x[:, _SWITCH] < 0, _LOGITS[below](x), _LOGITS[above](x))
    return np.asarray(1.0 / (1.0 + np.exp(logit)))


def relevant(name: str, x: Features) -> NDArray[np.bool_]:
    """(rows, 11): which features decide each row's class; the truth that masks are measured against."""
    truth = np.zeros(x.shape, dtype=np.bool_)
    if name in _USED:
        truth[:, _USED[name]] = True
        return truth
    truth[:, _SWITCH] = True
    for side, chosen in zip((x[:, _SWITCH] < 0, x[:, _SWITCH] >= 0), _CHOICE[name], strict=True):
        truth[:, _USED[chosen]] |= side[:, None]
    return truth
