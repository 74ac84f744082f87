"""`trainyard.run`: the pipeline of the pods from Python, on a manifest and, if wanted, a data frame."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainyard.api.base import InvalidManifest
from trainyard.api.trainingjob import TrainingJob
from trainyard.local import store
from trainyard.local.attempt import local_attempt
from trainyard.local.interrupt import stoppable
from trainyard.local.manifest import read_training_job, training_job
from trainyard.local.result import Result
from trainyard.local.rundir import RunFolder
from trainyard_trainer import errors
from trainyard_trainer.stop import StopRequest
from trainyard_trainer.threads import prepare_environment

if TYPE_CHECKING:
    from trainyard.api.wire import Result as LastWord
    from trainyard.local.progress import LocalObserver
    from trainyard_trainer.data.table import Table
    from trainyard_trainer.outcome import Outcome

_CAUSES = (
    errors.InvalidSpec,
    errors.DataError,
    errors.DependencyDown,
    errors.Temporary,
    errors.NotAllowed,
    errors.Stopped,
    errors.OutOfMemory,
)


def run(
    spec: Mapping[str, Any] | TrainingJob | str | Path,
    data: Any = None,
    *,
    tracking_uri: str | None = None,
    progress: bool = True,
    name: str = "notebook",
) -> Result:
    """Train, evaluate and log, exactly as `trainyard run FILE` and a pod do.

    An interrupt saves a checkpoint and raises `Stopped`; the same call goes on from there.

    Args:
        spec: A manifest: a path, a TrainingJob, a dict of the whole, or a dict of its `spec` alone.
        data: A data frame to train on in place of `data.source`; logged by its digest, not by its rows.
        tracking_uri: MLflow; MLFLOW_TRACKING_URI or a SQLite file in this folder where silent.
        progress: Show how it goes.
        name: Name of the run, where `spec` is a manifest's spec alone.

    Raises:
        TrainyardError: It did not end well; see `trainyard.errors`.
    """
    prepare_environment()
    manifest = _manifest(spec, name, data is not None)
    uri = store.tracking_uri(tracking_uri)
    loaded, digest = _loaded(data, manifest)
    from trainyard.local.isolation import torch_settings_kept

    with (
        RunFolder.open("python", manifest.to_kubernetes(), uri, digest) as folder,
        _observed(progress, manifest) as observer,
        stoppable((signal.SIGINT,), lambda text: print(text, flush=True), _interrupt) as stop,
        torch_settings_kept(),
    ):
        result, outcome = _train(manifest, uri, folder, observer, stop, loaded)
        folder.resumable = result.cause == "Stopped"
        if result.exit_code:
            raise _as_error(result)
        return _result(outcome, uri, folder.path)


def _manifest(spec: Mapping[str, Any] | TrainingJob | str | Path, name: str, in_memory: bool) -> TrainingJob:
    try:
        if isinstance(spec, str | Path):
            spec = read_training_job(Path(spec), [])
        if isinstance(spec, TrainingJob):
            if not in_memory:
                return spec
            spec = spec.to_kubernetes(defaults=False)
        if not isinstance(spec, Mapping):
            raise errors.InvalidSpec(
                f"a specification is no {type(spec).__name__}", "pass a dict, a TrainingJob or a path"
            )
        return training_job(spec, name, in_memory=in_memory)
    except InvalidManifest as error:
        remedy = "correct the specification" + ("" if in_memory else "; rows in memory are passed as data=")
        raise errors.InvalidSpec(str(error), remedy) from None


def _loaded(data: Any, manifest: TrainingJob) -> tuple[tuple[Table, list[str]] | None, str]:
    """The table and notices, and the data's digest."""
    if data is None:
        return None, ""
    from trainyard_trainer.data.frame import table_from_frame
    from trainyard_trainer.data.identity import data_digest
    from trainyard_trainer.resolve_data import image_settings

    table, notices = table_from_frame(data, image_settings(manifest.spec.data.image))
    return (table, notices), data_digest(table)


def _train(
    manifest: TrainingJob,
    uri: str,
    folder: RunFolder,
    observer: LocalObserver,
    stop: StopRequest,
    loaded: tuple[Table, list[str]] | None,
) -> tuple[LastWord, Outcome]:
    from trainyard_trainer.launch.beside import run_here
    from trainyard_trainer.resolve import resolve

    job = resolve(local_attempt(manifest, uri, folder.uid), store.artifact_root(uri))
    return run_here(job, folder.path, observer, stop, loaded)


@contextlib.contextmanager
def _observed(progress: bool, manifest: TrainingJob) -> Iterator[LocalObserver]:
    from rich.console import Console

    from trainyard.local.progress import Silent, make_observer

    with make_observer(Console(), manifest.spec.training.metric) if progress else Silent() as observer:
        yield observer


def _interrupt(number: int) -> None:
    raise KeyboardInterrupt


def _as_error(result: LastWord) -> errors.JobError:
    kind = next((c for c in _CAUSES if c.exit_code == result.exit_code), errors.Defect)
    remedy = "call it again to go on from there" if kind is errors.Stopped else result.remedy
    return kind(result.message or "failed", remedy or "")


def _result(outcome: Outcome, uri: str, work: Path) -> Result:
    """The package is moved out of the work folder, which goes away."""
    folder = tempfile.TemporaryDirectory(prefix="trainyard-")
    path = Path(folder.name) / "package"
    shutil.move(work / "package", path)
    return Result(
        metrics=dict(outcome.metrics),
        evaluation=outcome.evaluation or {},
        run_id=outcome.run_id or "",
        experiment_id=outcome.experiment_id or "",
        tracking_uri=uri,
        model_uri=outcome.model_uri or "",
        model_sha256=outcome.model_sha256 or "",
        data_digest=outcome.data_digest or "",
        holdout_digest=outcome.holdout_digest or "",
        rows=outcome.rows or 0,
        epochs=outcome.epochs or 0,
        best_epoch=outcome.best_epoch or 0,
        path=path,
        _folder=folder,
    )
