"""Score against the number of training rows: would more rows help?

The same training with an eighth, a quarter and a half of the rows, judged on the validation rows; test rows
are for the final model alone. Together these cost about as much as the training itself, so they are done only
after one that took seconds; for longer ones a Study over `data.trainFraction` is the way.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from trainyard_trainer.assembly import assemble
from trainyard_trainer.data.encode import Part
from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.data.table import Rows
from trainyard_trainer.errors import InvalidSpec, Stopped
from trainyard_trainer.evaluate.intervals import bootstrap
from trainyard_trainer.evaluate.judge import Judged
from trainyard_trainer.fit.checkpoint import State
from trainyard_trainer.fit.loop import Epoch, Fitter
from trainyard_trainer.report import Fraction
from trainyard_trainer.resolve import Job
from trainyard_trainer.scores import to_scores
from trainyard_trainer.session import Session

SHARES = (0.125, 0.25, 0.5)
MOST_SECONDS = 5.0
_FEWEST_ROWS, _SAMPLES = 20, 200


class _Bounded:
    """Hooks of one such training: silent, and over when time is up."""

    def __init__(self, session: Session, until: float) -> None:
        self.session, self.until = session, until

    def stopping(self) -> bool:
        """Asked to, or late."""
        return self.session.stopping() or time.monotonic() > self.until

    def epoch_done(self, epoch: Epoch) -> None:
        """Nobody hears of it."""

    def save(self, state: State, epoch: int) -> None:
        """It is short: what is interrupted is not worth keeping."""

    def say(self, text: str) -> None:
        """Nobody hears of it."""


def worthwhile(session: Session, fitter: Fitter) -> bool:
    """Whether the whole training was seen, was short, and was judged on rows of its own."""
    whole = 1 in session.history and session.seconds <= MOST_SECONDS
    return whole and fitter.group.size == 1 and len(fitter.validation) > 0


def score_by_rows(job: Job, data: Prepared, fitter: Fitter, session: Session) -> list[Fraction]:
    """The score of each share of the training rows and of all of them; fewer where time is up.

    Raises:
        JobError: The job is to stop.
    """
    until = time.monotonic() + MOST_SECONDS
    found = [_score(data, fitter)]
    order = np.random.default_rng(job.fit.seed).permutation(len(data.train))
    for share in SHARES:
        count = int(len(order) * share)
        if count < max(_FEWEST_ROWS, 2 * len(data.target.classes)):
            continue
        part = dataclasses.replace(data, train=taken(data.train, np.sort(order[:count])))
        try:
            _, smaller = assemble(job, part)
            smaller.run(_Bounded(session, until))
        except Stopped:
            session.check()
            break
        except InvalidSpec:  # too few rows for the batch, or it diverged on them
            continue
        found.append(_score(part, smaller))
    return sorted(found, key=lambda one: one.rows)


def taken(part: Part, rows: Rows) -> Part:
    """Some rows of a part."""
    return dataclasses.replace(
        part,
        inputs=tuple(values[rows] for values in part.inputs),
        target=part.target[rows],
        weight=None if part.weight is None else part.weight[rows],
        lengths=None if part.lengths is None else part.lengths[rows],
    )


def _score(data: Prepared, fitter: Fitter) -> Fraction:
    """The metric that chose the epoch, on the validation rows, with an interval over these rows."""
    selection = fitter.selection
    scores = to_scores(data, fitter.outputs(fitter.validation))
    rows = data.rows.validation
    weights = None if data.weights is None else data.weights[rows]
    judged = Judged(data.target.task, scores, data.target.values[rows])
    bounds = bootstrap(judged, weights, _SAMPLES, 0).bounds
    low, high = bounds.get(selection.metric.removeprefix("val_"), (None, None))
    best = selection.best_metrics or {}
    return Fraction(len(data.train), best[selection.metric], low, high)
