"""From the API's specification to each stage's own settings; the only place that knows both.

What the API can say and this version cannot do is refused here by name, never ignored.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trainyard.api.base import ApiModel
from trainyard.api.families import Custom, Model
from trainyard.api.trainingjob import TrainingJobSpec
from trainyard.api.wire import AttemptSpec
from trainyard_model import FAMILIES
from trainyard_model.families import GROUP
from trainyard_trainer.callbacks import FIELD as CALLBACKS_FIELD
from trainyard_trainer.callbacks import GROUP as CALLBACKS
from trainyard_trainer.data.settings import DataSettings, Inputs
from trainyard_trainer.errors import InvalidSpec, closest
from trainyard_trainer.evaluate.settings import EvaluationSettings
from trainyard_trainer.extensions import Extension
from trainyard_trainer.fit.settings import FitSettings
from trainyard_trainer.redact import redacted
from trainyard_trainer.resolve_data import data_settings, unsupported_data
from trainyard_trainer.resolve_extensions import extensions, value_of
from trainyard_trainer.resolve_fit import evaluation_settings, fit_settings
from trainyard_trainer.tracking.mlflow_run import RunIdentity
from trainyard_trainer.tracking.progress import Endpoint

_LOGGED = ("model", "data", "training")


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt, resolved: nothing in it is left to be decided.

    `model` holds the family's settings, `document` the specification that the run logs so that it can be
    repeated. With a `data_digest`, other data are refused.
    """

    name: str
    data: DataSettings
    fit: FitSettings
    family: str
    model: Any
    identity: RunIdentity
    params: Mapping[str, str]
    evaluation: EvaluationSettings
    document: Mapping[str, Any]
    endpoint: Endpoint | None = None
    data_digest: str | None = None
    report: bool = True
    system_metrics: bool = True
    log_data: bool = False
    callbacks: tuple[Extension, ...] = ()
    nodes: int = 1
    processes: int = 1
    """Of each node."""

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
    check_batch(spec)
    family, model = model_settings(spec.model)
    fit = fit_settings(spec.training, spec.data, FAMILIES[family].learning_rate(model))
    coordinator = attempt.coordinator
    ca_file = coordinator.ca_file if coordinator else None
    return Job(
        name=attempt.name,
        data=data_settings(spec.data, FAMILIES[family].takes, token_width(spec.model)),
        fit=fit,
        evaluation=evaluation_settings(spec.training),
        family=family,
        model=model,
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
        document=_document(attempt),
        endpoint=None
        if coordinator is None
        else Endpoint(coordinator.url, Path(coordinator.token_file), Path(ca_file) if ca_file else None),
        report=spec.tracking.report,
        system_metrics=spec.tracking.system_metrics,
        log_data=spec.tracking.log_data,
        callbacks=extensions(spec.training.callbacks, CALLBACKS, CALLBACKS_FIELD),
        nodes=spec.compute.nodes,
        processes=spec.compute.processes_per_node,
    )


def refuse_unsupported(spec: TrainingJobSpec) -> None:
    """Say what cannot be done before anything is done."""
    wanted = unsupported_data(spec.data)
    if wanted:
        raise InvalidSpec(
            f"{', '.join(wanted)}: not supported by this version", "remove it from the specification"
        )


def check_batch(spec: TrainingJobSpec) -> None:
    """Every process needs a row of a batch at least."""
    compute, rows = spec.compute, spec.training.batch_size
    if (processes := compute.nodes * compute.processes_per_node) > rows:
        raise InvalidSpec(
            f"training.batchSize is {rows}, and {processes} processes share each batch "
            "(compute.nodes times compute.processesPerNode)",
            f"raise training.batchSize to {processes} or more, or use fewer processes",
        )


def inputs_of(model: Model) -> Inputs | None:
    """What the model reads; None where that is not known here, as of an image of its own."""
    name, member = model.family
    family = (member.family or "") if isinstance(member, Custom) else name
    return FAMILIES[family].takes if family in FAMILIES else None


def token_width(model: Model) -> int | None:
    """Numbers of a token in a model of texts; None in others."""
    return None if model.lstm is None else model.lstm.embedding_size


def model_settings(model: Model) -> tuple[str, Any]:
    """The family's name, and the settings that the manifest gives it.

    Raises:
        InvalidSpec: This trainer has no such family.
    """
    name, member = model.family
    if isinstance(member, Custom):
        return _registered(member)
    if name not in FAMILIES:
        families = ", ".join(f"model.{family}" for family in FAMILIES)
        raise InvalidSpec(f"model.{name}: this version trains {families}", "use one of these")
    settings = FAMILIES[name].settings
    fields = [field.name for field in dataclasses.fields(settings)]
    return name, settings(**{field: _plain(getattr(member, field)) for field in fields})


def _registered(custom: Custom) -> tuple[str, Any]:
    """A family that another distribution registers, and its parameters."""
    if custom.family is None:
        raise InvalidSpec("model.custom runs its own image, not this trainer", "let the operator run it")
    if custom.family not in FAMILIES:
        raise InvalidSpec(
            f"model.custom.family: nothing installed here registers '{custom.family}' under {GROUP}",
            "install it in the image that compute.image names, or correct the name",
        )
    settings = FAMILIES[custom.family].settings
    fields = [field.name for field in dataclasses.fields(settings)]
    for name in custom.parameters:
        if name not in fields:
            raise InvalidSpec(
                f"model.custom.parameters: {custom.family} has no '{name}'; {closest(name, fields)}",
                "correct model.custom.parameters",
            )
    try:
        return custom.family, settings(**{name: value_of(text) for name, text in custom.parameters.items()})
    except (TypeError, ValueError) as error:
        raise InvalidSpec(f"model.custom.parameters: {error}", "correct model.custom.parameters") from error


def _plain(value: Any) -> Any:
    """To the families, choices from a list are lower-case text and parts of a model are mappings."""
    if isinstance(value, Enum):
        return value.value.lower()
    if isinstance(value, ApiModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    return tuple(_plain(part) for part in value) if isinstance(value, tuple) else value


def _tags(attempt: AttemptSpec) -> dict[str, str]:
    ours = {
        "trainyard.kind": attempt.kind,
        "trainyard.namespace": attempt.namespace,
        "trainyard.name": attempt.name,
        "trainyard.cluster": attempt.cluster_uid,
    }
    return {**attempt.spec.tracking.tags, **{key: value for key, value in ours.items() if value}}


def _document(attempt: AttemptSpec) -> dict[str, Any]:
    """The attempt's specification, defaults included, without credentials and without this attempt's own."""
    body = attempt.to_kubernetes()
    body.pop("coordinator", None)
    found: dict[str, Any] = redacted(body)
    return found


def params(spec: TrainingJobSpec) -> dict[str, str]:
    """The specification, defaults included, as flat names and texts."""
    body = redacted(spec.to_kubernetes())
    return dict(_flat({key: body[key] for key in _LOGGED if key in body}, ""))


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else key)
    elif not isinstance(value, list) or value:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
