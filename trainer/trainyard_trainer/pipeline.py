"""The stages strung together: spec in -> data -> model -> fit -> evaluate -> package -> result out.

The same for a pod and for a laptop; only what observes it differs.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trainyard_trainer.assembly import assemble, fingerprint
from trainyard_trainer.callbacks import Callbacks
from trainyard_trainer.crossval import PREFIX, FoldResult, cross_validate
from trainyard_trainer.data.load import Opened, load
from trainyard_trainer.data.prepare import Prepared, Understood, divided, folds, understand
from trainyard_trainer.data.table import Table
from trainyard_trainer.errors import DataError, DependencyDown, JobError, Stopped
from trainyard_trainer.finish import Finish
from trainyard_trainer.fit.checkpoint import CheckpointStore
from trainyard_trainer.fit.group import ALONE, Group
from trainyard_trainer.fit.loop import Fitter
from trainyard_trainer.launch.place import ONLY, Place
from trainyard_trainer.observer import Observer
from trainyard_trainer.outcome import Outcome
from trainyard_trainer.redact import shown
from trainyard_trainer.resolve import Job
from trainyard_trainer.session import Follower, Session
from trainyard_trainer.stop import StopRequest
from trainyard_trainer.tracking import environment
from trainyard_trainer.tracking.data_files import Upload, upload, uploads
from trainyard_trainer.tracking.mlflow_run import DATA_DIGEST, RESULT, MlflowRun, translated
from trainyard_trainer.tracking.patience import patiently
from trainyard_trainer.tracking.progress import ProgressReporter
from trainyard_trainer.tracking.provenance import IMAGE_DIGEST, provenance
from trainyard_trainer.tracking.system import SystemMonitor
from trainyard_trainer.tracking.system_facts import hardware
from trainyard_trainer.tracking.tracker import Tracker, fetch_checkpoints

_CLOSE_SECONDS = 60.0
_STOP_SECONDS = 40.0
_SCHEMA_LENGTH = 1_000_000
SPEC = "spec.json"
Loaded = tuple[Table, list[str]]


class Pipeline:
    """One attempt at one job."""

    def __init__(
        self,
        job: Job,
        workdir: Path,
        observer: Observer,
        stop: StopRequest,
        loaded: Loaded | None = None,
        place: Place = ONLY,
    ) -> None:
        """`loaded` is a table with its notices, in place of what `job.data.source` names."""
        self.job, self.workdir, self.observer, self.stop = job, workdir, observer, stop
        self.loaded, self.place = loaded, place
        self.outcome = Outcome()
        self.callbacks = Callbacks()
        self.files: list[Upload] = []
        self.image = ""
        self.tracker: Tracker | None = None
        self.monitor: SystemMonitor | None = None

    def run(self) -> Outcome:
        """Train, evaluate, log.

        Raises:
            JobError: It did not end well; `outcome` has what is known; then `settle` and `end`.
        """
        if self.place.rank:
            return self._follow()
        environment.configure()
        self.callbacks = Callbacks(self.job.callbacks, self.job.name)
        with ThreadPoolExecutor(1) as pool:
            server = pool.submit(environment.wait_until_up, self.job.identity.uri)
            known, prepared = self._prepare()
            server.result()
        self.tracker = Tracker(self.job.identity, lambda run: self._describe(run, prepared))
        self.tracker.start()
        if self.job.system_metrics:
            self.monitor = SystemMonitor(self.tracker.log_system, self.workdir)
            self.monitor.start()
        store = CheckpointStore(self.workdir / "checkpoint", fingerprint(self.job, prepared))
        with self._session(store, self.tracker) as session, self.callbacks.told_the_end(self.outcome):
            with self._group(prepared) as group:
                group.slowly(lambda: self._fetch(store, session))
                folds = self._cross_validate(known, store, session, group)
                fitter = self._fit(prepared, store, session, group)
            last = Finish(self.job, prepared, session, self.workdir, self.outcome)
            last.run(fitter.network, fitter, folds)
        return self.outcome

    def _follow(self) -> Outcome:
        """What a process does that is not the first of its group: train, and be silent."""
        known, prepared = self._prepare()
        session = Follower(self._folds, self.stop)
        store = CheckpointStore(self.workdir / "unused", "")  # the first process loads and saves
        with self._group(prepared) as group:
            group.slowly(lambda: None)
            self._cross_validate(known, store, session, group)
            self._fit(prepared, store, session, group)
        return self.outcome

    def _prepare(self) -> tuple[Understood, Prepared]:
        """The data, understood and divided."""
        table, notices = self.loaded or self._load()
        self.stop.check()
        known = understand(table, self.job.data, notices, self.workdir)
        prepared = divided(known)
        self._note(prepared)
        self.stop.check()
        return known, prepared

    @contextlib.contextmanager
    def _group(self, prepared: Prepared) -> Iterator[Group]:
        """The processes that train together, while they do.

        Raises:
            DataError: They have read different data.
        """
        if self.place.size == 1:
            yield ALONE
            return
        from trainyard_trainer.fit.meeting import join

        self.observer.stage(f"waiting for {self.place.size} processes to meet")
        with contextlib.closing(join(self.place, self.stop)) as group:
            if not group.same(prepared.data_digest + prepared.holdout_digest):
                raise DataError(
                    "the processes have read different data: the source changed meanwhile, or differs by pod",
                    "give every pod the same data; data.source.sha256 makes sure of it",
                )
            yield group

    @property
    def _folds(self) -> int:
        return (self.job.data.split.folds or 0) * self.job.data.split.repeats

    @contextlib.contextmanager
    def _session(self, store: CheckpointStore, tracker: Tracker) -> Iterator[Session]:
        """While it lasts, the coordinator hears how it goes."""
        endpoint = self.job.endpoint
        reporter = None if endpoint is None else ProgressReporter(endpoint, self.job.attempt)
        args = (tracker, reporter, self.observer, self.stop, self.callbacks)
        session = Session(self.job.fit.epochs, self._folds, store, *args)
        if reporter is None:
            yield session
            return
        reporter.start()
        try:
            yield session
        finally:
            reporter.close()
            self.image = reporter.image

    def _fetch(self, store: CheckpointStore, session: Session) -> None:
        """What an earlier attempt of this run saved, where this machine has nothing that can be used."""
        stores = (store, CheckpointStore(store.folder, store.fingerprint, prefix=PREFIX))
        if self.job.attempt > 1 and all(one.load() is None for one in stores):
            patiently(session, lambda: fetch_checkpoints(session.tracker, store.folder))

    def _cross_validate(
        self,
        known: Understood,
        store: CheckpointStore,
        session: Session | Follower,
        group: Group,
    ) -> list[FoldResult]:
        if not session.folds:
            return []
        kept = CheckpointStore(store.folder, store.fingerprint, prefix=PREFIX)
        self.observer.stage(f"cross-validation: {session.folds} folds")
        return cross_validate(self.job, folds(known), kept, session, group)

    def _fit(
        self, prepared: Prepared, store: CheckpointStore, session: Session | Follower, group: Group
    ) -> Fitter:
        """Train, from the checkpoint where there is one that can be used."""
        _, fitter = assemble(self.job, prepared, group)
        state = group.share(store.load)
        if state is not None:
            try:
                fitter.resume(state)
            except (KeyError, RuntimeError, TypeError, ValueError) as error:
                session.say(f"the checkpoint does not fit this version, training starts anew: {error!s:.200}")
                _, fitter = assemble(self.job, prepared, group)
        elif store.damaged:
            session.say(f"no checkpoint can be used ({', '.join(store.damaged)}), training starts anew")
        session.begin(fitter.at.epoch)
        try:
            fitter.run(session)
        except Stopped as stopped:
            raise session.reason(stopped) from stopped
        finally:
            self.outcome.epochs = session.done
        return fitter

    def _load(self) -> Loaded:
        self.observer.stage(f"reading {shown(self.job.data.source.uri)}")
        return load(self.job.data, self.workdir / "data", self.observer.stage, self._opened)

    def _opened(self, opened: Sequence[Opened]) -> None:
        if self.job.log_data:
            self.files = uploads(opened, self.job.data.split)

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
        if self.job.log_data and not self.files:
            self.observer.stage("tracking.logData: the data come from no file, so none is uploaded")

    def _describe(self, run: MlflowRun, prepared: Prepared) -> None:
        """In the tracker's thread: all that is known of the run before its first epoch ends."""
        self.outcome.experiment_id, self.outcome.run_id = run.experiment_id, run.run_id
        if run.described:
            return
        run.log_json(SPEC, self.job.document)
        run.log_params(self.job.params)
        source = json.dumps({"uri": shown(self.job.data.source.uri)})
        run.log_dataset(self.job.name, prepared.data_digest, source, _columns(prepared))
        upload(run, self.files)
        run.set_tags(
            {
                DATA_DIGEST: prepared.data_digest,
                "trainyard.holdoutDigest": prepared.holdout_digest,
                "trainyard.rows": str(prepared.table.rows),
                "trainyard.processes": str(self.place.size),
                **provenance(),
                **hardware(),
            }
        )

    def settle(self, error: JobError | None) -> JobError | None:
        """Have everything written that is on its way; the error to report comes back.

        Only after this is the outcome final: a job may be stopped before its run exists.
        """
        if self.tracker is None:
            return error
        if self.monitor is not None:
            self.monitor.stop()
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
                run.set_tags({RESULT: result, **({IMAGE_DIGEST: self.image} if self.image else {})})
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
