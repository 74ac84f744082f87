"""From the chosen epoch to a run that holds all there is to know: package, evaluation, baselines, model."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trainyard_model import Network, Predictor
from trainyard_trainer import crossval
from trainyard_trainer.assess import assess, assess_baselines, choose_threshold, metrics_of
from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.errors import JobError
from trainyard_trainer.evaluate import baselines
from trainyard_trainer.evaluate.judge import with_prefix
from trainyard_trainer.fit.loop import Fitter
from trainyard_trainer.fractions import score_by_rows, worthwhile
from trainyard_trainer.outcome import Outcome
from trainyard_trainer.package.build import build_package
from trainyard_trainer.package.log import log_package
from trainyard_trainer.report import Fraction, make_report
from trainyard_trainer.report.gather import gather
from trainyard_trainer.report.pace import paced
from trainyard_trainer.resolve import Job
from trainyard_trainer.session import Session
from trainyard_trainer.tracking.mlflow_run import DATA_DIGEST, Point, now_ms
from trainyard_trainer.tracking.patience import patiently

EVALUATION, IMPORTANCE, REPORT = "evaluation.json", "importance.json", "report"
BASELINE = "trainyard.baselineDigest"
_IMPORTANCE_ROWS, _IMPORTANT_TOKENS = 1_000, 200


class Finish:
    """The last stage of one job; `outcome` is filled as it goes."""

    def __init__(self, job: Job, data: Prepared, session: Session, workdir: Path, outcome: Outcome) -> None:
        self.job, self.data, self.session = job, data, session
        self.folder, self.outcome = workdir / "package", outcome

    def run(self, network: Network, fitter: Fitter, folds: list[crossval.FoldResult]) -> None:
        """Package the chosen epoch, look at the test rows once through the package, log everything.

        Raises:
            JobError: Stopped between two pieces of work, or MLflow is gone for good; the next attempt does
                this stage again.
        """
        job, data, session, outcome = self.job, self.data, self.session, self.outcome
        session.say("packaging and evaluating the model")
        outcome.best_epoch = fitter.selection.best_epoch
        threshold = choose_threshold(data, fitter, job.evaluation)
        predictor, outcome.model_sha256 = build_package(job.family, network, data, self.folder, threshold)
        session.check()
        document = assess(data, predictor, job.evaluation, fitter.selection.metric)
        document["bestEpoch"] = fitter.selection.best_epoch
        if folds:
            document["oof"] = crossval.out_of_fold(data, folds)
            document["folds"] = crossval.table(folds)
        outcome.metrics, outcome.evaluation = metrics_of(document), document
        session.check()
        compared = self._baselines(fitter)
        if compared:
            document["baseline"] = {
                name: with_prefix(compared, f"test_{name}_")
                for name in (baselines.LINEAR, baselines.MAJORITY)
            }
            outcome.metrics |= compared
        session.check()
        importance = _importance(predictor, data, job.evaluation.seed)
        drawn = self._report(predictor, fitter, importance["importance"]) if job.report else None
        session.check()
        session.say("logging the model")
        patiently(session, lambda: self._log(predictor, compared, importance, drawn))

    def _baselines(self, fitter: Fitter) -> dict[str, float]:
        """Their test metrics: an earlier run's with the same rows, or new ones."""
        if not self.job.evaluation.baseline or not len(self.data.rows.test):
            return {}
        run = self.session.tracker.connected()
        known = patiently(self.session, lambda: run.metrics_where(BASELINE, self._baseline_digest()))
        found = with_prefix(known, f"test_{baselines.LINEAR}_", keep=True)
        found |= with_prefix(known, f"test_{baselines.MAJORITY}_", keep=True)
        if found:
            return found
        self.session.say("fitting the linear baseline")
        return assess_baselines(self.data, fitter.train, self.job.evaluation, self.session.stopping)

    def _baseline_digest(self) -> str:
        """Everything that a baseline's numbers depend on."""
        data, settings = self.data, self.job.evaluation
        params = {k: v for k, v in self.job.params.items() if k.startswith("data.")}
        without = ("data.source.uri", "data.source.labels.", "data.text.", "data.image.")
        params = {k: v for k, v in params.items() if not k.startswith(without)}
        kind = data.preprocessor.kind
        content = [data.data_digest, data.holdout_digest, kind, params, settings.threshold_metric]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    def _fractions(self, fitter: Fitter) -> list[Fraction]:
        """The score of smaller parts of the training rows, where that is cheap."""
        if not worthwhile(self.session, fitter):
            return []
        self.session.say("training with fewer rows, to see whether more would help")
        return score_by_rows(self.job, self.data, fitter, self.session)

    def _report(self, predictor: Predictor, fitter: Fitter, importance: Mapping[str, float]) -> Path | None:
        """The report's folder; None where it could not be made, which is no reason to lose a training."""
        document = self.outcome.evaluation or {}
        try:
            fractions = self._fractions(fitter)
            self.session.say("drawing the report")
            history = self._history(str(document.get("metric")))
            name, network = self.job.name, fitter.network
            found = gather(name, self.data, predictor, network, history, document, importance)
            found = replace(found, fractions=fractions, fraction_metric=found.metric)
            make_report(found).write(self.folder.parent / REPORT)
        except JobError:
            raise
        except Exception as error:
            self.session.say(f"there is no report: {type(error).__name__}: {error}")
            return None
        return self.folder.parent / REPORT

    def _history(self, metric: str) -> dict[int, Mapping[str, float]]:
        """Metrics by epoch; those of earlier attempts from the run."""
        known = self.session.history
        if 1 in known:
            return known
        run = self.session.tracker.connected()
        names = {"train_loss", "val_loss", metric}
        return {**patiently(self.session, lambda: run.history(sorted(names))), **known}

    def _log(
        self,
        predictor: Predictor,
        compared: Mapping[str, float],
        importance: Mapping[str, Any],
        drawn: Path | None,
    ) -> None:
        """The model, its metrics, the documents; metrics logged by an earlier attempt stay."""
        outcome, uri = self.outcome, self.job.identity.uri
        run = self.session.tracker.connected()
        tags = {
            "trainyard.modelSHA256": str(outcome.model_sha256),
            DATA_DIGEST: self.data.data_digest,
        }
        outcome.model_uri, model_id = log_package(self.folder, predictor.package, uri, run.run_id, tags)
        there = run.metrics()
        judged = {k: v for k, v in outcome.metrics.items() if not k.startswith("val_") and k not in compared}
        for metrics, model in ((judged, model_id), (compared, None)):
            new = {name: value for name, value in metrics.items() if name not in there}
            run.log_points([Point(outcome.best_epoch or 0, new, now_ms(), model)])
        run.log_json(EVALUATION, outcome.evaluation or {})
        run.log_json(IMPORTANCE, importance)
        if drawn is not None:
            run.upload_folder(drawn, REPORT)
        if compared:
            run.set_tags({BASELINE: self._baseline_digest()})


def _importance(predictor: Predictor, data: Prepared, seed: int) -> dict[str, Any]:
    """Share of each input column, of up to 1,000 rows that did not train; of training rows without such.

    Of texts the share of the most important tokens, in as many of the rows as there is time for.
    """
    part = "validation" if len(data.rows.validation) else "train"
    rows = np.random.default_rng(seed).permutation(getattr(data.rows, part))[:_IMPORTANCE_ROWS]
    pieces = paced(rows) if data.preprocessor.kind == "text" else [np.sort(rows)]
    totals: Counter[str] = Counter()
    done = 0
    for piece in pieces:
        shares = predictor.importance(data.raw(piece))
        totals.update({name: share * len(piece) for name, share in shares.items()})
        done += len(piece)
    most = _IMPORTANT_TOKENS if data.preprocessor.kind == "text" else None
    found = {name: total / done for name, total in totals.most_common(most)}
    return {"formatVersion": 1, "of": part, "rows": done, "importance": found}
