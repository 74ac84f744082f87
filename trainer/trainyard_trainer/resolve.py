"""From the API's specification to each stage's own settings; the only place that knows both.

What the API can say and this version cannot do is refused here by name, never ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trainyard.api.data import Data, Source, SplitBy
from trainyard.api.names import CLAIM_DIR
from trainyard.api.training import Training
from trainyard.api.trainingjob import TrainingJobSpec
from trainyard.api.wire import AttemptSpec
from trainyard_trainer.data.settings import (
    ColumnSettings,
    CSVSettings,
    DataSettings,
    SourceSettings,
    SplitSettings,
)
from trainyard_trainer.errors import InvalidSpec
from trainyard_trainer.families import tabnet
from trainyard_trainer.fit.settings import FitSettings, OptimizerSettings
from trainyard_trainer.tracking.mlflow_run import RunIdentity
from trainyard_trainer.tracking.progress import Endpoint

_LOGGED = ("model", "data", "training")


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt, resolved: nothing in it is left to be decided."""

    name: str
    data: DataSettings
    fit: FitSettings
    model: tabnet.TabNetSettings
    identity: RunIdentity
    params: Mapping[str, str]
    endpoint: Endpoint | None = None

    @property
    def attempt(self) -> int:
        """Number of this attempt, from 1."""
        return self.identity.attempt


def read_spec(path: Path) -> AttemptSpec:
    """The attempt's specification from spec.json.

    Raises:
        InvalidSpec: The file cannot be read, or is none.
    """
    try:
        return AttemptSpec.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidSpec(
            f"{path} cannot be read: {error.strerror}", "set TRAINYARD_SPEC to spec.json"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidSpec(f"{path.name}: {where}: {first['msg']}", "correct the specification") from error


def resolve(attempt: AttemptSpec, artifact_root: str | None = None) -> Job:
    """Settings of every stage.

    Raises:
        InvalidSpec: The specification asks for something that this version does not do.
    """
    spec = attempt.spec
    refuse_unsupported(spec)
    fit = _fit(spec.training, spec.data)
    coordinator = attempt.coordinator
    ca_file = coordinator.ca_file if coordinator else None
    return Job(
        name=attempt.name,
        data=_data(spec.data),
        fit=fit,
        model=_tabnet(spec),
        identity=RunIdentity(
            uri=attempt.tracking.uri,
            experiment=attempt.tracking.experiment,
            name=attempt.name,
            uid=attempt.uid,
            attempt=attempt.attempt,
            tags=_tags(attempt),
            artifact_root=artifact_root,
        ),
        params=params(spec) | {"training.optimizer.learningRate": repr(fit.optimizer.learning_rate)},
        endpoint=None
        if coordinator is None
        else Endpoint(coordinator.url, Path(coordinator.token_file), Path(ca_file) if ca_file else None),
    )


def refuse_unsupported(spec: TrainingJobSpec) -> None:
    """Say what cannot be done before anything is done."""
    model, data, training = spec.model, spec.data, spec.training
    if model.custom is not None:
        raise InvalidSpec("model.custom runs its own image, not this trainer", "let the operator run it")
    if model.tabnet is None:
        family = next(iter(model.model_fields_set), "?")
        raise InvalidSpec(f"model.{family}: this version trains tabnet only", "use model.tabnet")
    columns, split = data.columns, data.split
    asked = {
        "data.targets": data.targets,
        "data.text": data.text,
        "data.image": data.image,
        "data.preprocess": data.preprocess,
        "data.columns.text": columns and columns.text,
        "data.columns.weight": columns and columns.weight,
        "data.source.labels": data.source and data.source.labels,
        "data.split.by other than Hash": split.by is not SplitBy.HASH,
        "data.split.folds": split.folds,
        "training.schedule": training.schedule,
        "training.compile": training.compile,
        "training.precision other than Float32": training.precision.value != "Float32",
        "training.callbacks": training.callbacks,
        "compute.nodes above 1": spec.compute.nodes > 1,
        "compute.processesPerNode above 1": spec.compute.processes_per_node > 1,
        "tracking.logData": spec.tracking.log_data,
    }
    if wanted := [field for field, value in asked.items() if value]:
        raise InvalidSpec(
            f"{', '.join(wanted)}: not supported by this version", "remove it from the specification"
        )
    if data.source is not None and data.source.format and data.source.format.value not in ("CSV", "Parquet"):
        raise InvalidSpec(
            f"data.source.format: {data.source.format.value} is not read for tabnet", "use CSV or Parquet"
        )


def _tabnet(spec: TrainingJobSpec) -> tabnet.TabNetSettings:
    model = spec.model.tabnet
    assert model is not None  # noqa: S101 - refused before
    return tabnet.TabNetSettings(
        n_d=model.n_d,
        n_a=model.n_a,
        n_steps=model.n_steps,
        gamma=model.gamma,
        n_independent=model.n_independent,
        n_shared=model.n_shared,
        virtual_batch_size=model.virtual_batch_size,
        momentum=model.momentum,
        mask=model.mask_type.value.lower(),
        lambda_sparse=model.lambda_sparse,
        embedding_size=model.embedding_size,
        category_dropout=model.category_dropout,
    )


def _data(data: Data) -> DataSettings:
    if data.source is None:
        raise InvalidSpec("data.source is missing", "say where the rows are")
    columns, split = data.columns, data.split
    return DataSettings(
        source=_source(data.source),
        task=data.task.value if data.task else None,
        target=data.target,
        positive_class=data.positive_class,
        columns=ColumnSettings(columns.drop, columns.numeric, columns.categorical, columns.key)
        if columns
        else ColumnSettings(),
        split=SplitSettings(split.validation, split.test, split.seed),
        train_fraction=data.train_fraction,
    )


def _source(source: Source) -> SourceSettings:
    claim, csv = source.claim, source.csv
    return SourceSettings(
        uri=source.uri if claim is None else f"{CLAIM_DIR}/{claim[0]}/{claim[1]}",
        sha256=source.sha256,
        format=None if source.format is None else ("CSV" if source.format.value == "CSV" else "Parquet"),
        csv=CSVSettings()
        if csv is None
        else CSVSettings(
            delimiter=csv.delimiter if "delimiter" in csv.model_fields_set else None,
            header=csv.header,
            column_names=csv.column_names,
            encoding=csv.encoding,
            null_values=csv.null_values,
        ),
    )


def _fit(training: Training, data: Data) -> FitSettings:
    optimizer, stopping, clipping = training.optimizer, training.early_stopping, training.gradient_clipping
    weights = data.class_weights
    default_rate = {"adadelta": 1.0, "sgd": 0.01}.get(optimizer.name.value, tabnet.LEARNING_RATE)
    return FitSettings(
        epochs=training.epochs,
        batch_size=training.batch_size,
        optimizer=OptimizerSettings(
            name=optimizer.name.value,
            learning_rate=optimizer.learning_rate or default_rate,
            weight_decay=optimizer.weight_decay,
            momentum=optimizer.momentum,
            nesterov=optimizer.nesterov,
            beta1=optimizer.beta1,
            beta2=optimizer.beta2,
            rho=optimizer.rho,
            epsilon=optimizer.epsilon,
        ),
        metric=training.metric,
        maximize=None if training.goal is None else training.goal.value == "Maximize",
        stop_metric=stopping.metric if stopping else None,
        patience=stopping.patience if stopping else None,
        min_delta=stopping.min_delta if stopping else 0.0,
        clip_norm=clipping.norm if clipping else None,
        clip_value=clipping.value if clipping else None,
        label_smoothing=training.label_smoothing,
        balanced=weights is not None and weights.balanced is not None,
        class_weights=tuple((weights.fixed or {}).items()) if weights else (),
        seed=training.seed,
        deterministic=training.deterministic,
        checkpoint_seconds=training.checkpointing.interval_seconds,
    )


def _tags(attempt: AttemptSpec) -> dict[str, str]:
    ours = {
        "trainyard.kind": attempt.kind,
        "trainyard.namespace": attempt.namespace,
        "trainyard.name": attempt.name,
        "trainyard.cluster": attempt.cluster_uid,
    }
    return {**attempt.spec.tracking.tags, **{key: value for key, value in ours.items() if value}}


def params(spec: TrainingJobSpec) -> dict[str, str]:
    """The specification, defaults included, as flat names and texts."""
    body = spec.to_kubernetes()
    return dict(_flat({key: body[key] for key in _LOGGED if key in body}, ""))


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else key)
    elif not isinstance(value, list) or value:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
