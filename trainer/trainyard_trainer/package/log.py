"""Log a package to MLflow as a model that loads anywhere: files, not pickles, and no trainyard needed."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import trainyard_model
from trainyard_model import Package
from trainyard_model.package import signature
from trainyard_model.preprocess import Preprocessor, SteppedPreprocessor
from trainyard_trainer.tracking.store import current_store

NAME = "model"
_REQUIREMENTS = ("mlflow", "numpy", "pandas", "safetensors", "torch")
_OF_KIND = {"text": ("tokenizers",), "image": ("pillow",)}


def requirements(preprocessor: Preprocessor) -> list[str]:
    """What loading the model takes, as installed here, without a build's local suffix (+cu132)."""
    names = sorted((*_REQUIREMENTS, *_OF_KIND.get(preprocessor.kind, ())))
    steps = preprocessor.steps if isinstance(preprocessor, SteppedPreprocessor) else ()
    ours = [f"{name}=={importlib.metadata.version(name).partition('+')[0]}" for name in names]
    return [*ours, *sorted({step.distribution for step in steps})]


def log_package(
    folder: Path, package: Package, uri: str, run_id: str, tags: dict[str, str]
) -> tuple[str, str]:
    """Log the folder under the run; the model's URI and id come back.

    In a thread of its own: MLflow's module-level API, the only one that logs models, goes by the run that is
    active in the thread, and whoever called us from Python may have one open.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_log, folder, package, uri, run_id, tags).result()


def _log(folder: Path, package: Package, uri: str, run_id: str, tags: dict[str, str]) -> tuple[str, str]:
    import mlflow
    import pandas

    with _joined(uri, run_id):
        logged = mlflow.pyfunc.log_model(
            name=NAME,
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={"package": str(folder)},
            code_paths=[str(Path(trainyard_model.__file__).parent)],
            pip_requirements=requirements(package.preprocessor),
            signature=_signature(package),
            input_example=pandas.DataFrame(dict(package.input_example)),
            tags=tags,
        )
    return str(logged.model_uri), str(logged.model_id)


@contextlib.contextmanager
def _joined(uri: str, run_id: str) -> Iterator[None]:
    """Make store and run the current ones; leaving ends no run."""
    import mlflow

    with current_store(uri):
        mlflow.start_run(run_id=run_id, log_system_metrics=False)
        try:
            yield
        finally:
            mlflow.end_run("RUNNING")


def _signature(package: Package) -> Any:
    """Inputs are of any type, because the package checks every cell itself.

    MLflow would refuse an integer column where it has seen floats, and the other way round.
    """
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, Schema

    described = signature(package.schema)
    inputs = [ColSpec(AnyType(), column["name"]) for column in described["inputs"]]
    outputs = [ColSpec(column["type"], column["name"]) for column in described["outputs"]]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
