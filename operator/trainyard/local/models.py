"""What the MODEL of `trainyard serve` and `trainyard.load` means: a folder, or a model that MLflow knows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard.local.store import existing_uri
from trainyard_trainer.errors import DataError, InvalidSpec

_MANIFEST = "package.json"
_INSIDE = ("", "package", "artifacts/package", "artifacts/artifacts/package")
_RUN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Found:
    """A package folder, and what to call it."""

    folder: Path
    name: str
    version: str


def resolve(model: str, tracking_uri: str | None, scratch: Path) -> Found:
    """Find the package; a model of MLflow is copied into `scratch`.

    Raises:
        JobError: There is none.
    """
    path = Path(model)
    if path.is_dir():
        return Found(_package_in(path, model), path.resolve().name, "local")
    if model.startswith(("models:/", "runs:/")) or _RUN.fullmatch(model):
        return _of_mlflow(model, tracking_uri, scratch)
    raise InvalidSpec(
        f"'{model}' is no folder and no model of MLflow",
        "give a package folder, models:/m-..., models:/NAME/VERSION, runs:/RUN or a run's id",
    )


def _package_in(folder: Path, named: str) -> Path:
    """The package in the folder, or in a model of MLflow that lies there."""
    for inside in _INSIDE:
        if (folder / inside / _MANIFEST).is_file():
            return folder / inside
    raise DataError(
        f"{named} holds no {_MANIFEST}: it is no model that Trainyard made",
        "give the folder that holds package.json and model.safetensors",
    )


def _of_mlflow(model: str, tracking_uri: str | None, scratch: Path) -> Found:
    from trainyard_trainer.tracking import environment
    from trainyard_trainer.tracking.store import current_store

    environment.configure()
    import mlflow
    from mlflow.exceptions import MlflowException

    uri = existing_uri(tracking_uri)
    environment.wait_until_up(uri)
    try:
        with current_store(uri):
            name, version, address = _named(model, mlflow.MlflowClient(uri))
            files = mlflow.artifacts.download_artifacts(address, dst_path=str(scratch), tracking_uri=uri)
    except (MlflowException, OSError) as error:
        raise DataError(
            f"{model} cannot be had from MLflow at {uri}: {str(error).strip():.500}",
            "look for the model's URI in MLflow, or name its server with --tracking-uri",
        ) from None
    return Found(_package_in(Path(files), model), name, version)


def _named(model: str, client: Any) -> tuple[str, str, str]:
    """Name, version, and the URI of the model's files."""
    if model.startswith("models:/"):
        rest = model.removeprefix("models:/").strip("/")
        name, slash, version = rest.rpartition("/")
        if slash:
            return name, version, model
        name, at, alias = rest.rpartition("@")
        if at:
            return name, str(client.get_model_version_by_alias(name, alias).version), model
        return str(client.get_logged_model(rest).name), rest, f"models:/{rest}"
    run_id = model.removeprefix("runs:/").partition("/")[0]
    run = client.get_run(run_id)
    models = [] if run.outputs is None else run.outputs.model_outputs
    if not models:
        raise DataError(f"run {run_id} has logged no model", "serve another run; this one did not finish")
    model_id = str(models[-1].model_id)
    return str(client.get_logged_model(model_id).name), model_id, f"models:/{model_id}"
