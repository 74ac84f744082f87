"""The stages strung together: spec in -> data -> model -> fit -> evaluate -> package -> result out.

The same for a pod and for a laptop; only what observes it differs.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainyard_model import Network
from trainyard_trainer.assembly import assemble, fingerprint
from trainyard_trainer.data.prepare import Prepared, load, prepare
from trainyard_trainer.data.table import Table
from trainyard_trainer.errors import DataError, DependencyDown, JobError, Stopped
from trainyard_trainer.evaluate import metrics as measures
from trainyard_trainer.fit.checkpoint import CheckpointStore
from trainyard_trainer.fit.loop import Fitter
from trainyard_trainer.observer import Observer
from trainyard_trainer.package.build import build_package
from trainyard_trainer.package.log import log_package
from trainyard_trainer.resolve import Job
from trainyard_trainer.session import Session
from trainyard_trainer.stop import StopRequest
from trainyard_trainer.tracking import environment
from trainyard_trainer.tracking.mlflow_run import DATA_DIGEST, RESULT, MlflowRun, translated
from trainyard_trainer.tracking.progress import ProgressReporter
from trainyard_trainer.tracking.provenance import provenance
from trainyard_trainer.tracking.tracker import Tracker, fetch_checkpoints

_CLOSE_SECONDS = 60.0
_STOP_SECONDS = 40.0
_SCHEMA_LENGTH = 1_000_000
SPEC = "spec.json"
Loaded = tuple[Table, list[str]]


@dataclass(slots=True)
class Outcome:
    """What is known of a run; filled as it becomes known, so that a failure can tell it too."""

    experiment_id: str | None = None
    run_id: str | None = None
    model_uri: str | None = None
    model_sha256: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    data_digest: str | None = None
    holdout_digest: str | None = None
    rows: int | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    evaluation: dict[str, Any] | None = None


class Pipeline:
    """One attempt at one job."""

    def __init__(
        self, job: Job, workdir: Path, observer: Observer, stop: StopRequest, loaded: Loaded | None = None
    ) -> None:
        """`loaded` is a table with its notices, in place of what `job.data.source` names."""
        self.job, self.workdir, self.observer, self.stop = job, workdir, observer, stop
        self.loaded = loaded
        self.outcome = Outcome()
        self.tracker: Tracker | None = None

    def run(self) -> Outcome:
        """Train, evaluate, log.

        Raises:
            JobError: It did not end well; `outcome` has what is known; then `settle` and `end`.
        """
        environment.configure()
        with ThreadPoolExecutor(1) as pool:
            server = pool.submit(environment.wait_until_up, self.job.identity.uri)
            table, notices = self.loaded or self._load()
            prepared = prepare(table, self.job.data, notices)
            self._note(prepared)
            network, fitter = assemble(self.job, prepared)
            self.stop.check()
            server.result()
        self.tracker = Tracker(self.job.identity, lambda run: self._describe(run, prepared))
        self.tracker.start()
        self._fit(fitter, CheckpointStore(self.workdir / "checkpoint", fingerprint(self.job, prepared)))
        self._finish(network, fitter, prepared)
        return self.outcome

    def _load(self) -> Loaded:
        self.observer.stage(f"reading {self.job.data.source.uri}")
        return load(self.job.data, self.workdir / "data", self.observer.stage)

    def _note(self, prepared: Prepared) -> None:
        """Tell what was read.

        Raises:
            DataError: The job is held to other data.
        """
        if self.job.data_digest not in (None, prepared.data_digest):
            raise DataError(
                f"the data have changed: their digest is {prepared.data_digest:.12}..., "
                f"and was {self.job.data_digest:.12}...",
                "give the same data, or allow any (rerun --any-data)",
            )
        self.outcome.data_digest, self.outcome.holdout_digest = prepared.data_digest, prepared.holdout_digest
        self.outcome.rows = prepared.table.rows
        self.observer.data(prepared)

    def _describe(self, run: MlflowRun, prepared: Prepared) -> None:
        """In the tracker's thread: all that is known of the run before its first epoch ends."""
        self.outcome.experiment_id, self.outcome.run_id = run.experiment_id, run.run_id
        if run.described:
            return
        run.log_json(SPEC, self.job.document)
        run.log_params(self.job.params)
        source = json.dumps({"uri": self.job.data.source.uri})
        run.log_dataset(self.job.name, prepared.data_digest, source, _columns(prepared))
        run.set_tags(
            {
                DATA_DIGEST: prepared.data_digest,
                "trainyard.holdoutDigest": prepared.holdout_digest,
                "trainyard.rows": str(prepared.table.rows),
                **provenance(),
            }
        )

    def _fit(self, fitter: Fitter, store: CheckpointStore) -> None:
        assert self.tracker is not None  # noqa: S101 - made by `run`
        state = store.load()
        if state is None and self.job.attempt > 1 and fetch_checkpoints(self.tracker, store.folder):
            state = store.load()
        if state is not None:
            fitter.resume(state)
        endpoint = self.job.endpoint
        reporter = None if endpoint is None else ProgressReporter(endpoint, self.job.attempt)
        if reporter is not None:
            reporter.start()
        session = Session(self.job.fit.epochs, store, self.tracker, reporter, self.observer, self.stop)
        session.begin(fitter.at.epoch)
        try:
            fitter.run(session)
        except Stopped as stopped:
            if self.tracker.failure is not None:
                raise self.tracker.failure from stopped
            if reporter is not None and reporter.stop_reason is not None:
                raise Stopped(f"{stopped.message}: {reporter.stop_reason}", stopped.remedy) from stopped
            raise
        finally:
            self.outcome.epochs = session.done
            if reporter is not None:
                reporter.close()

    def _finish(self, network: Network, fitter: Fitter, prepared: Prepared) -> None:
        """Package the chosen epoch, look at the test rows once through the package, log."""
        assert self.tracker is not None  # noqa: S101
        self.observer.stage("packaging and logging the model")
        selection, outcome = fitter.selection, self.outcome
        predictor, outcome.model_sha256 = build_package(
            self.job.family, network, prepared, self.workdir / "package"
        )
        tested: dict[str, float] = {}
        if len(rows := prepared.rows.test):
            truth = prepared.target.values[rows]
            tested = measures.score(prepared.target.task, predictor.scores(prepared.raw(rows)), truth, "test")
        outcome.best_epoch = selection.best_epoch
        outcome.metrics = {**tested, **(selection.best_metrics or {})}
        run = self.tracker.connected()
        tags = {"trainyard.modelSHA256": outcome.model_sha256, DATA_DIGEST: prepared.data_digest}
        with translated(self.job.identity.uri):
            outcome.model_uri, model_id = log_package(
                self.workdir / "package", predictor.package, self.job.identity.uri, run.run_id, tags
            )
        self.tracker.log(selection.best_epoch, tested, model_id)

    def settle(self, error: JobError | None) -> JobError | None:
        """Have everything written that is on its way; the error to report comes back.

        Only after this is the outcome final: a job may be stopped before its run exists.
        """
        if self.tracker is None:
            return error
        try:
            self.tracker.close(_STOP_SECONDS if isinstance(error, Stopped) else _CLOSE_SECONDS)
        except JobError as failure:
            return error or failure
        return error

    def end(self, error: JobError | None, result: str) -> JobError | None:
        """Tell MLflow how it ended, with the job's last word as a tag; the error to report comes back."""
        run = None if self.tracker is None else self.tracker.run
        if self.tracker is None or run is None:
            return error
        if error is not None and error is self.tracker.failure and isinstance(error, Stopped):
            return error  # the run is a newer attempt's now
        status = "FINISHED" if error is None else "KILLED" if isinstance(error, Stopped) else "FAILED"
        try:
            with translated(self.job.identity.uri):
                run.set_tags({RESULT: result})
                run.end(status)
        except JobError as failure:
            return error or DependencyDown(failure.message, failure.remedy)
        return error


def _columns(prepared: Prepared) -> str:
    """The schema as MLflow shows it for a data set; nothing where it would be too long for MLflow."""
    columns = [
        {"name": c.name, "type": "double" if c.role == "numeric" else "string"}
        for c in prepared.schema.columns
    ]
    text = json.dumps({"mlflow_colspec": columns})
    return text if len(text) < _SCHEMA_LENGTH else "{}"
