"""Make the package: the chosen weights, the preprocessing, and an example with the answer to expect."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import shutil
from pathlib import Path

from trainyard_model import Network, Package, Predictor, package_digest, write_package
from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.threads import thread_count


def build_package(
    family: str, network: Network, data: Prepared, folder: Path, threshold: float | None = None
) -> tuple[Predictor, str]:
    """Write the package; the predictor that reads it and the package's SHA-256 come back.

    The example's answer is computed by the package as read back from disk: what anyone who loads it must get.
    """
    shutil.rmtree(folder, ignore_errors=True)
    preprocessor = data.preprocessor
    example = preprocessor.example(data.raw(data.rows.train[: preprocessor.example_rows]))
    package = dataclasses.replace(
        _bare(family, network, data, threshold),
        input_example=example,
        info={
            "dataDigest": data.data_digest,
            "holdoutDigest": data.holdout_digest,
            "trainRows": len(data.rows.train),
            "trainyard": _version("trainyard"),
            "torch": _version("torch"),
        },
    )
    write_package(package, folder)
    answer = Predictor.load(folder).predict(example)
    expected = {name: values.tolist() for name, values in answer.items()}
    write_package(dataclasses.replace(package, expected_output=expected), folder)
    return Predictor.load(folder, threads=thread_count()), package_digest(folder)


def in_memory(family: str, network: Network, data: Prepared, threshold: float | None = None) -> Predictor:
    """The predict path of a network that is not kept: a fold's, or a baseline."""
    return Predictor(_bare(family, network, data, threshold), threads=thread_count())


def _bare(family: str, network: Network, data: Prepared, threshold: float | None) -> Package:
    return Package(
        family=family,
        config=network.config,
        preprocessor=data.preprocessor,
        weights=network.state_dict(),
        target_means=data.target_means,
        target_scales=data.target_scales,
        threshold=threshold,
    )


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
