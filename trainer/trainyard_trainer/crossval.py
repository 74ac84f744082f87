"""Cross-validation: one model a fold, judged on rows unseen by it, through the package's predict path.

A finished fold is kept with the checkpoints, so an attempt that goes on trains only those that are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainyard_model import Network
from trainyard_trainer.assembly import assemble
from trainyard_trainer.assess import Rows, choose_threshold
from trainyard_trainer.data.prepare import Fold, Prepared
from trainyard_trainer.errors import Stopped
from trainyard_trainer.evaluate.judge import evaluate
from trainyard_trainer.fit.checkpoint import CheckpointStore, State
from trainyard_trainer.fit.group import ALONE, Group
from trainyard_trainer.fit.loop import Epoch, Fitter
from trainyard_trainer.package.build import in_memory
from trainyard_trainer.resolve import Job
from trainyard_trainer.session import Follower, Session

PREFIX = "folds-"


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What a fold's model said to the fold's rows."""

    repeat: int
    fold: int
    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    threshold: float | None
    best_epoch: int
    epochs: int
    metrics: dict[str, float]

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        names = ("repeat", "fold", "threshold", "best_epoch", "epochs", "metrics")
        arrays = {"rows": torch.from_numpy(self.rows), "scores": torch.from_numpy(self.scores)}
        return {name: getattr(self, name) for name in names} | arrays

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> FoldResult:
        """From a checkpoint."""
        return cls(**{**state, "rows": state["rows"].numpy(), "scores": state["scores"].numpy()})


class _FoldHooks:
    """Hooks of one fold's loop: counted, stoppable, and kept nowhere before it is over."""

    def __init__(self, session: Session | Follower, number: int) -> None:
        self.session, self.number, self.epochs = session, number, 0

    def stopping(self) -> bool:
        """As the session."""
        return self.session.stopping()

    def epoch_done(self, epoch: Epoch) -> None:
        """Progress alone."""
        self.epochs = epoch.number
        self.session.fold_epoch_done(self.number, epoch)

    def save(self, state: State, epoch: int) -> None:
        """A fold is short: one that was interrupted is trained again."""

    def say(self, text: str) -> None:
        """As the session."""
        self.session.say(text)


def cross_validate(
    job: Job, folds: Iterable[Fold], store: CheckpointStore, session: Session | Follower, group: Group = ALONE
) -> list[FoldResult]:
    """Train and judge what is missing of all folds, in their order.

    Of several processes the first alone judges, and has the results.

    Raises:
        JobError: As training; the finished folds are saved.
    """
    state = group.share(store.load)
    results = [FoldResult.of(item) for item in state["folds"]] if state else []
    done = {(result.repeat, result.fold) for result in results}
    if results:
        session.say(f"{len(results)} of {session.folds} folds are there from an earlier attempt")
    session.begin_folds(len(results))
    for number, fold in enumerate(folds):
        if (fold.repeat, fold.fold) in done:
            continue
        hooks = _FoldHooks(session, number)
        try:
            network, fitter = assemble(job, fold.data, group)
            fitter.run(hooks)
        except Stopped as stopped:
            kept = Stopped(f"stopped in fold {number + 1} of {session.folds}, finished folds saved")
            raise session.reason(kept) from stopped

        def judge(made: tuple[Fold, Network, Fitter, _FoldHooks] = (fold, network, fitter, hooks)) -> None:
            results.append(_judged(job, *made))
            session.fold_done(store, [r.state() for r in results], results[-1].metrics)

        group.slowly(judge)
    return results


def _judged(job: Job, fold: Fold, network: Network, fitter: Fitter, hooks: _FoldHooks) -> FoldResult:
    data = fold.data
    at = choose_threshold(data, fitter, job.evaluation)
    rows = Rows.of(data, data.rows.test)
    scores = in_memory(job.family, network, data, at).scores(rows.columns)
    return FoldResult(
        fold.repeat,
        fold.fold,
        data.rows.test,
        scores,
        at,
        fitter.selection.best_epoch,
        hooks.epochs,
        evaluate(data.target.task, scores, rows.target, rows.weights, at),
    )


def out_of_fold(data: Prepared, results: list[FoldResult]) -> dict[str, dict[str, float]]:
    """Metrics of all rows that a fold judged, each by the model that has not seen it.

    The rows of a repeat are judged together, each decided at its own fold's threshold. `value` is the mean
    over repeats, `std` the standard deviation over them where there are several.
    """
    repeats = sorted({result.repeat for result in results})
    found = [_pooled(data, [r for r in results if r.repeat == repeat]) for repeat in repeats]
    metrics = {}
    for name in found[0]:
        values = [one[name] for one in found if name in one]
        metrics[name] = {"value": float(np.mean(values))}
        if len(values) > 1:
            metrics[name]["std"] = float(np.std(values, ddof=1))
    return metrics


def _pooled(data: Prepared, results: list[FoldResult]) -> dict[str, float]:
    rows = np.concatenate([result.rows for result in results])
    scores = np.concatenate([result.scores for result in results])
    weights = None if data.weights is None else data.weights[rows]
    at = None
    if all(result.threshold is not None for result in results):
        at = np.concatenate([np.full(len(r.rows), r.threshold, dtype=np.float64) for r in results])
    return evaluate(data.target.task, scores, data.target.values[rows], weights, at)


def table(results: list[FoldResult]) -> list[dict[str, Any]]:
    """One row a fold for evaluation.json; repeats and folds count from 1 there."""
    return [
        {
            "repeat": result.repeat + 1,
            "fold": result.fold + 1,
            "rows": len(result.rows),
            "epochs": result.epochs,
            "bestEpoch": result.best_epoch,
            "threshold": result.threshold,
            "metrics": result.metrics,
        }
        for result in results
    ]
