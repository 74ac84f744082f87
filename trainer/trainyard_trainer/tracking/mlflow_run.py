"""One run in MLflow, found or created by tag, so that a retried pod goes on in the same run."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainyard_trainer.errors import DependencyDown, InvalidSpec, NotAllowed, Stopped

UID, ATTEMPT, RESULT = "trainyard.uid", "trainyard.attempt", "trainyard.result"
DATA_DIGEST = "trainyard.dataDigest"  # written last of all that describes a run
CHECKPOINTS = "checkpoint"
_BATCH = 100
_VALUE_LENGTH = 6000


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which run, and where. `artifact_root` is for experiments created in a local store."""

    uri: str
    experiment: str
    name: str
    uid: str
    attempt: int = 1
    tags: Mapping[str, str] = field(default_factory=dict)
    artifact_root: str | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """Metrics of one step. `again` marks what is logged even where the run has that step already."""

    step: int
    metrics: Mapping[str, float]
    milliseconds: int
    model_id: str | None = None
    again: bool = False


@contextlib.contextmanager
def translated(uri: str) -> Iterator[None]:
    """MLflow's errors as ours: refused, gone, or asked for something that cannot be."""
    import mlflow  # noqa: F401 - whole, and first: two threads that import it from two ends get half of it each
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        status = error.get_http_status_code()
        if status in (401, 403):
            raise NotAllowed(
                f"MLflow at {uri} refuses: {error}", "check its credentials and allowed hosts"
            ) from error
        if 400 <= status < 500 and status not in (408, 429):
            raise InvalidSpec(
                f"MLflow at {uri} refuses: {error}", "correct the specification's tracking part"
            ) from error
        raise DependencyDown(
            f"MLflow at {uri} failed: {error}", "check that the server is up and healthy"
        ) from error


class MlflowRun:
    """The client of one run. Calls block; `Tracker` makes them in a thread."""

    def __init__(self, identity: RunIdentity) -> None:
        """Find or create the run.

        Raises:
            Stopped: A newer attempt has taken the run over.
            DependencyDown: MLflow cannot be reached.
            NotAllowed, InvalidSpec: MLflow refuses.
        """
        from mlflow import MlflowClient

        self.identity = identity
        with translated(identity.uri):
            self.client = MlflowClient(identity.uri)
            self.experiment_id = self._experiment()
            found = self._find()
            self.resumed = found is not None
            self.run_id: str = found or self._create()
            self.described = False
            self.last_step = self._take_over() if self.resumed else 0

    def _experiment(self) -> str:
        name = self.identity.experiment
        found = self.client.get_experiment_by_name(name)
        if found is None:
            from mlflow.exceptions import MlflowException

            try:
                return str(self.client.create_experiment(name, artifact_location=self.identity.artifact_root))
            except MlflowException:  # another run created it meanwhile
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise InvalidSpec(
                f"the MLflow experiment '{name}' is deleted",
                f"run `mlflow experiments restore -x {found.experiment_id}`, or set tracking.experiment",
            )
        return str(found.experiment_id)

    def _find(self) -> str | None:
        runs = self.client.search_runs(
            [self.experiment_id], f"tags.`{UID}` = '{self.identity.uid}'", max_results=1
        )
        return str(runs[0].info.run_id) if runs else None

    def _create(self) -> str:
        tags = {**self.identity.tags, UID: self.identity.uid, ATTEMPT: str(self.identity.attempt)}
        run = self.client.create_run(self.experiment_id, tags=tags, run_name=self.identity.name)
        return str(run.info.run_id)

    def _take_over(self) -> int:
        """Mark the run ours; the last step that it has comes back."""
        self.described = DATA_DIGEST in self.check_attempt()
        self.client.set_tag(self.run_id, ATTEMPT, str(self.identity.attempt))
        self.client.update_run(self.run_id, status="RUNNING")
        history = self.client.get_metric_history(self.run_id, "train_loss")
        return max((metric.step for metric in history), default=0)

    def check_attempt(self) -> Mapping[str, str]:
        """A lost node may still run an older attempt: the newer one owns the run. The run's tags come back.

        Raises:
            Stopped: This is the older one.
        """
        tags: Mapping[str, str] = self.client.get_run(self.run_id).data.tags
        tag = tags.get(ATTEMPT, "0")
        if tag.isdigit() and int(tag) > self.identity.attempt:
            raise Stopped(f"attempt {tag} has taken over run {self.run_id}", "nothing to do")
        return tags

    def log_params(self, params: Mapping[str, str]) -> None:
        """Parameters; those of a resumed run are there already."""
        from mlflow.entities import Param

        items = [Param(key, value[:_VALUE_LENGTH]) for key, value in sorted(params.items())]
        for start in range(0, len(items), _BATCH):
            self.client.log_batch(self.run_id, params=items[start : start + _BATCH])

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Tags, replacing those of the same key."""
        from mlflow.entities import RunTag

        items = [RunTag(key, value[:_VALUE_LENGTH]) for key, value in sorted(tags.items())]
        for start in range(0, len(items), _BATCH):
            self.client.log_batch(self.run_id, tags=items[start : start + _BATCH])

    def log_points(self, points: Iterable[Point]) -> None:
        """Metrics of several steps in as few requests as may be."""
        from mlflow.entities import Metric

        metrics = [
            Metric(key, value, point.milliseconds, point.step, model_id=point.model_id, run_id=self.run_id)
            for point in points
            for key, value in sorted(point.metrics.items())
        ]
        for start in range(0, len(metrics), 10 * _BATCH):
            self.client.log_batch(self.run_id, metrics=metrics[start : start + 10 * _BATCH])

    def metrics(self) -> dict[str, float]:
        """The last value of every metric that the run has."""
        return dict(self.client.get_run(self.run_id).data.metrics)

    def metrics_where(self, tag: str, value: str) -> dict[str, float]:
        """Metrics of the newest finished run of this experiment with such a tag; none where there is none."""
        runs = self.client.search_runs(
            [self.experiment_id],
            f"tags.`{tag}` = '{value}' and attributes.status = 'FINISHED'",
            max_results=1,
        )
        return dict(runs[0].data.metrics) if runs else {}

    def log_dataset(self, name: str, digest: str, source: str, schema: str) -> None:
        """The data's identity where MLflow shows data sets (it takes at most 36 characters of digest)."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        data = Dataset(name=name, digest=digest[:32], source_type="trainyard", source=source, schema=schema)
        self.client.log_inputs(
            self.run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])]
        )

    def log_json(self, path: str, value: Mapping[str, Any]) -> None:
        """A JSON artifact at `path` of the run; one of that name is replaced.

        Args:
            path: Below the run's artifacts, such as `evaluation.json`.
            value: Plain values; no NaN, which is no JSON.
        """
        text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
        self.client.log_text(self.run_id, text + "\n", path)

    def upload(self, path: Path, folder: str) -> None:
        """A file to the run's artifacts."""
        self.client.log_artifact(self.run_id, str(path), folder)

    def upload_folder(self, source: Path, folder: str) -> None:
        """All files of a folder to the run's artifacts."""
        self.client.log_artifacts(self.run_id, str(source), folder)

    def history(self, names: Iterable[str]) -> dict[int, dict[str, float]]:
        """By step what the run has of these metrics."""
        found: dict[int, dict[str, float]] = {}
        for name in names:
            for metric in self.client.get_metric_history(self.run_id, name):
                found.setdefault(metric.step, {})[name] = metric.value
        return found

    def download_checkpoints(self, folder: Path) -> bool:
        """Checkpoints that an earlier attempt left, into `folder`; False when there are none."""
        from mlflow.artifacts import download_artifacts

        if not self.client.list_artifacts(self.run_id, CHECKPOINTS):
            return False
        folder.mkdir(parents=True, exist_ok=True)
        download_artifacts(
            run_id=self.run_id,
            artifact_path=CHECKPOINTS,
            dst_path=str(folder.parent),
            tracking_uri=self.identity.uri,
        )
        return True

    def end(self, status: str) -> None:
        """FINISHED, FAILED or KILLED."""
        self.client.set_terminated(self.run_id, status)


def now_ms() -> int:
    """Timestamps as MLflow has them."""
    return int(time.time() * 1000)
