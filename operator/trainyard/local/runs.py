"""Runs as MLflow has them: read for comparing and for repeating, never changed."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from trainyard.api.wire import Result
from trainyard.local.store import existing_uri, shown
from trainyard_trainer.errors import DataError, InvalidSpec, closest

_ID = re.compile(r"[0-9a-f]{32}")
_MISSING = "RESOURCE_DOES_NOT_EXIST"
EVALUATION, RESULT = "evaluation.json", "trainyard.result"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. `seconds` is None while it is running; `evaluation` when it was not evaluated.

    `metrics` are those of the chosen epoch, where MLflow shows the last one's.
    """

    run_id: str
    name: str
    experiment: str
    status: str
    seconds: float | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    evaluation: Mapping[str, Any] | None = None
    model_sha256: str | None = None

    @property
    def short(self) -> str:
        """Enough of the id to find it by eye."""
        return self.run_id[:8]


def _result(tags: Mapping[str, str]) -> Result:
    """The run's last word; an empty one where it has said none yet."""
    try:
        return Result.model_validate_json(tags.get(RESULT, "{}"))
    except ValidationError:
        return Result()


class RunStore:
    """The runs of one MLflow store."""

    def __init__(self, tracking_uri: str | None) -> None:
        """Connect.

        Raises:
            InvalidSpec: There is no store here and none was named.
            DependencyDown, NotAllowed: The server does not answer, or refuses.
        """
        from trainyard_trainer.tracking import environment

        environment.configure()
        from mlflow import MlflowClient

        self.uri = existing_uri(tracking_uri)
        environment.wait_until_up(self.uri)
        self._client = MlflowClient(self.uri)

    def find(self, names: Sequence[str], last: int) -> list[RunRecord]:
        """Runs by id, and the latest ones of experiments by name; in the order given, each once.

        Raises:
            InvalidSpec: There is no such run or experiment.
        """
        ids = [run_id for name in names for run_id in self._ids(name, last)]
        return [self.get(run_id) for run_id in dict.fromkeys(ids)]

    def get(self, run_id: str) -> RunRecord:
        """One run.

        Raises:
            InvalidSpec: There is none of that id.
        """
        from trainyard_trainer.tracking.mlflow_run import translated

        with translated(self.uri), self._known(run_id):
            run = self._client.get_run(run_id)
            experiment = self._client.get_experiment(run.info.experiment_id).name
        ended, tags = run.info.end_time, dict(run.data.tags)
        result = _result(tags)
        evaluation = self.json(run_id, EVALUATION)
        validation = (evaluation or {}).get("validation") or {}
        best = {f"val_{name}": value for name, value in validation.items()} | result.metrics
        return RunRecord(
            run_id=run_id,
            name=str(run.info.run_name),
            experiment=str(experiment),
            status=str(run.info.status),
            seconds=None if ended is None else (ended - run.info.start_time) / 1000,
            params=dict(run.data.params),
            metrics={**run.data.metrics, **best},
            tags=tags,
            evaluation=evaluation,
            model_sha256=result.model_sha256,
        )

    def json(self, run_id: str, name: str) -> dict[str, Any] | None:
        """A JSON artifact of a run; None where it has none of that name."""
        from mlflow.artifacts import download_artifacts

        from trainyard_trainer.tracking.mlflow_run import translated

        with translated(self.uri):
            if name not in [entry.path for entry in self._client.list_artifacts(run_id)]:
                return None
            with tempfile.TemporaryDirectory(prefix="trainyard-") as folder:
                path = download_artifacts(
                    run_id=run_id, artifact_path=name, dst_path=folder, tracking_uri=self.uri
                )
                try:
                    value: dict[str, Any] = json.loads(Path(path).read_bytes())
                except ValueError as error:
                    raise DataError(
                        f"{name} of run {run_id} is damaged: {error}", "use another run"
                    ) from None
                return value

    def _ids(self, name: str, last: int) -> Iterator[str]:
        if _ID.fullmatch(name):
            yield name
            return
        from trainyard_trainer.tracking.mlflow_run import translated

        with translated(self.uri):
            experiment = self._client.get_experiment_by_name(name)
            if experiment is None:
                self._refuse(name)
            runs = self._client.search_runs(
                [experiment.experiment_id], max_results=last, order_by=["attributes.start_time DESC"]
            )
        for run in reversed(runs):
            yield str(run.info.run_id)

    def _refuse(self, name: str) -> NoReturn:
        names = [e.name for e in self._client.search_experiments() if e.name != "Default"]
        there = closest(name, names) if names else "there is no experiment at all"
        raise InvalidSpec(
            f"MLflow at {shown(self.uri)} has no experiment '{name}'; {there}",
            "give the name of an experiment, or runs by their id of 32 characters",
        )

    @contextlib.contextmanager
    def _known(self, run_id: str) -> Iterator[None]:
        """A run that does not exist is the caller's mistake, in words that help."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            if error.error_code != _MISSING:
                raise
            raise InvalidSpec(
                f"MLflow at {shown(self.uri)} has no run {run_id}",
                "look its id up in MLflow, or name the store with --tracking-uri",
            ) from None
