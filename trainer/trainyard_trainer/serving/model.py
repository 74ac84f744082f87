"""Load a package and prove, before anyone asks, that it answers as it did when it was made."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trainyard_model import ModelInputError, PackageError, Predictor, Schema, package_digest
from trainyard_trainer.serving.recorded import PREDICTION, Recorded, difference
from trainyard_trainer.serving.refusal import Problems, Refused
from trainyard_trainer.serving.settings import Settings
from trainyard_trainer.threads import thread_count

_MOST_WORKERS = 4
REMEDY = "promote another version, or train and log this one anew"


class ModelRefused(Exception):  # noqa: N818 - named as what happens to the model
    """The package must not be served; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Model:
    """A package that has reproduced its recorded outputs."""

    predictor: Predictor
    recorded: Recorded
    name: str
    version: str
    sha256: str
    largest_difference: float
    seconds: float

    @property
    def schema(self) -> Schema:
        """Inputs and outputs."""
        return self.predictor.schema

    def predict(self, columns: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Output columns as lists.

        Raises:
            Refused: An image cannot be read, or a row leads to no finite answer.
        """
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # the check below is the warning
                outputs = self.predictor.predict(columns)
        except ModelInputError as error:  # only now is it seen: a file that is no image, or of another size
            problems = Problems()
            problems.add("not_an_image", error.row, error.column, error.expected, error.got)
            raise problems.refusal() from None
        scores = [values for name, values in outputs.items() if name != PREDICTION] or [*outputs.values()]
        finite = np.isfinite(np.stack(scores)).all(0)
        if not finite.all():
            row = int(finite.argmin())
            detail = {
                "row": row,
                "column": None,
                "expected": "numbers of a size seen in training",
                "got": "number",
            }
            raise Refused(
                422,
                f"row {row}: a number is too large for the model; there is no finite answer",
                reasons=["out_of_range"],
                fields={"details": [detail], "count": int((~finite).sum())},
            )
        return {name: values.tolist() for name, values in outputs.items()}


def workers() -> int:
    """Predictions at a time. More than the CPUs granted would only wait for each other."""
    return min(thread_count(), _MOST_WORKERS)


def load(settings: Settings) -> Model:
    """Read the package and warm it up with its recorded example.

    Raises:
        ModelRefused: It is no package, not the one asked for, or does not reproduce what it recorded.
    """
    started = time.monotonic()
    torch.set_num_threads(max(1, thread_count() // workers()))
    try:
        digest = package_digest(settings.model_dir)
        if settings.sha256 is not None and digest != settings.sha256:
            raise ModelRefused(f"{settings.model_dir} has SHA-256 {digest}, pinned is {settings.sha256}")
        predictor = Predictor.load(settings.model_dir)
        recorded = Recorded.read(settings.model_dir)
    except PackageError as error:
        raise ModelRefused(str(error)) from error
    except OSError as error:
        raise ModelRefused(f"{settings.model_dir} is no model package: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        kind = type(error).__name__
        raise ModelRefused(
            f"{settings.model_dir}: package.json cannot be understood ({kind}: {error})"
        ) from error
    largest = warm_up(predictor, recorded)
    seconds = time.monotonic() - started
    return Model(predictor, recorded, settings.name, settings.version, digest, largest, seconds)


def warm_up(predictor: Predictor, recorded: Recorded) -> float:
    """Answer the recorded example; the largest difference to the recorded answer comes back.

    Raises:
        ModelRefused: The answer is another one.
    """
    if recorded.rows == 0:
        raise ModelRefused("the package records no example, so nothing proves that it answers as it did")
    try:
        answer = {name: values.tolist() for name, values in predictor.predict(recorded.example).items()}
    except (ModelInputError, RuntimeError, ValueError) as error:
        raise ModelRefused(f"the recorded example cannot be answered: {error}") from error
    wrong, largest = difference(recorded, answer)
    if wrong is not None:
        raise ModelRefused(f"the recorded outputs are not reproduced: {wrong}")
    return largest
