"""Areas under the ROC and the precision-recall curve, for many weightings of the rows at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.evaluate.sums import Floats, Integers, ratio


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows from the highest score down.

    `starts` is the first row of each group of equal scores, or None where no two are equal.
    """

    order: Integers
    positive: NDArray[np.bool_]
    starts: Integers | None

    @classmethod
    def of(cls, scores: Floats, positive: NDArray[np.bool_]) -> Ranking:
        """Sort once; weightings come later."""
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        changes = np.flatnonzero(ranked[1:] != ranked[:-1]) + 1
        starts = None if len(changes) == len(ranked) - 1 else np.append(0, changes)
        return cls(order, positive[order], starts)

    def areas(self, weights: Floats) -> tuple[Floats, Floats]:
        """ROC-AUC and average precision, (S, rows) -> (S,) each; NaN where a class has no weight.

        ROC-AUC is the share of (positive, negative) pairs in the right order with ties counting half; average
        precision is the sum of precision times the gain in recall over the distinct scores, not interpolated.
        """
        all_of = weights[:, self.order]
        hits_of = np.where(self.positive, all_of, 0)
        if self.starts is not None:
            all_of = np.add.reduceat(all_of, self.starts, axis=1)
            hits_of = np.add.reduceat(hits_of, self.starts, axis=1)
        hits, seen = np.cumsum(hits_of, axis=1), np.cumsum(all_of, axis=1)
        positive = hits[:, -1].astype(np.float64)
        negative = seen[:, -1].astype(np.float64) - positive
        # A positive is wrong against the negatives above it, and half wrong against those of its own score.
        above = (seen - hits) - (all_of - hits_of) / 2
        wrong = np.einsum("sg,sg->s", hits_of, above, dtype=np.float64)
        np.divide(hits, seen, out=hits, where=seen > 0)
        precision = np.einsum("sg,sg->s", hits_of, hits, dtype=np.float64)
        both = (positive > 0) & (negative > 0)
        roc = 1.0 - ratio(wrong, positive * negative, np.nan)
        return roc, np.where(both, ratio(precision, positive, np.nan), np.nan)
