"""Steps of other distributions before our own preprocessing, in training and wherever the model answers.

A distribution registers a class as an entry point of the group `trainyard.preprocess`. The package keeps a
step's name, its distribution and what it learned as JSON, never its code: whoever reads the package needs the
distribution too.
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelInputError, PackageError
from ..families.base import Kind, Shape
from ..schema import NUMERIC, TEXT, Schema
from ..values import category_text, is_missing, to_list, to_numbers
from .base import Columns, Floats, Inputs, Preprocessor, row_count

GROUP = "trainyard.preprocess"
Cells = Mapping[str, NDArray[Any]]


class Step(Protocol):
    """What an entry point's class is.

    Columns come by name: numbers as float64, where a gap is NaN, everything else as objects, texts or None.
    A row's answer must not depend on the rows beside it.
    """

    @classmethod
    def fit(cls, columns: Cells, **parameters: Any) -> Self:
        """A step that has seen the training rows."""
        ...

    def apply(self, columns: Cells) -> Cells:
        """The columns that the model shall read, as many rows, without changing those given."""
        ...

    def to_json(self) -> Mapping[str, Any]:
        """Plain values from which `from_json` makes an equal step."""
        ...

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        ...


@dataclass(frozen=True, slots=True)
class NamedStep:
    """A step with the name of its entry point and the distribution that registers it, `name==version`."""

    name: str
    distribution: str
    step: Step

    def apply(self, columns: Cells) -> dict[str, NDArray[Any]]:
        """What the step makes of the columns.

        Raises:
            ModelInputError: It fails, or gives no columns of as many rows.
        """
        try:
            found = {str(name): _cells(values) for name, values in self.step.apply(columns).items()}
        except ModelInputError:
            raise
        except Exception as error:
            raise ModelInputError(
                f"the step '{self.name}' cannot take these rows: {type(error).__name__}: {error}"
            ) from error
        rows = {len(values) for values in columns.values()}
        if not found or {len(values) for values in found.values()} != rows:
            raise ModelInputError(f"the step '{self.name}' gives other rows than it is given")
        return found


def apply_all(steps: Iterable[NamedStep], columns: Cells) -> Cells:
    """Each step on what the one before it gives."""
    for step in steps:
        columns = step.apply(columns)
    return columns


def uniform(schema: Schema, columns: Columns) -> dict[str, NDArray[Any]]:
    """Raw columns in the one form that steps are given, whoever passes them.

    Raises:
        ModelInputError: A column is missing, or a cell cannot be read.
    """
    row_count(schema, columns)
    found: dict[str, NDArray[Any]] = {}
    for column in schema.columns:
        values = columns[column.name]
        if column.role == NUMERIC:
            found[column.name] = to_numbers(values, column.name)
        elif column.role == TEXT:
            found[column.name] = _objects([None if is_missing(v) else str(v) for v in to_list(values)])
        else:
            texts = (category_text(value, column.integers) for value in to_list(values))
            found[column.name] = _objects(list(texts))
    return found


@dataclass(frozen=True, slots=True)
class SteppedPreprocessor(Preprocessor):
    """Steps, then a preprocessor of what they give; `schema` are the columns before the steps."""

    schema: Schema
    steps: tuple[NamedStep, ...]
    inner: Preprocessor

    @property
    def kind(self) -> Kind:  # type: ignore[override]
        """What the steps lead to."""
        return self.inner.kind

    @property
    def slice_rows(self) -> int:
        """As without steps."""
        return self.inner.slice_rows

    def stepped(self, columns: Columns) -> Cells:
        """What the steps make of raw columns."""
        return apply_all(self.steps, uniform(self.schema, columns))

    def encode(self, columns: Columns) -> Inputs:
        """As without steps, of what they give."""
        return self.inner.encode(self.stepped(columns))

    def shape(self) -> Shape:
        """As without steps."""
        return self.inner.shape()

    def explained(self, columns: Columns, weights: list[Floats]) -> dict[str, Any]:
        """By the columns that the steps give, which are those that the network has."""
        return self.inner.explained(self.stepped(columns), weights)

    def importance(self, slices: Iterable[tuple[Inputs, Floats]]) -> dict[str, float]:
        """Likewise."""
        return self.inner.importance(slices)

    def example(self, columns: Columns) -> dict[str, list[Any]]:
        """The raw rows; a gap is null."""
        cells = uniform(self.schema, columns)
        return {
            name: [None if is_missing(value) else value for value in values.tolist()]
            for name, values in cells.items()
        }

    def to_json(self) -> dict[str, Any]:
        """The inner preprocessor's values with its own schema, and the steps."""
        steps = [
            {"name": one.name, "distribution": one.distribution, "state": dict(one.step.to_json())}
            for one in self.steps
        ]
        return {**self.inner.to_json(), "schema": self.inner.schema.to_json(), "steps": steps}

    @classmethod
    def from_json(
        cls, schema: Schema, value: Mapping[str, Any], files: Mapping[str, bytes]
    ) -> SteppedPreprocessor:
        """The inverse of `to_json`; `read_preprocessor` reads the inner one.

        Raises:
            PackageError: A step's distribution is not installed here.
        """
        from . import KINDS  # which has this module among its own

        inner = KINDS[value["kind"]].from_json(Schema.from_json(value["schema"]), value, files)
        return cls(schema, tuple(_read(item) for item in value["steps"]), inner)

    def files(self) -> dict[str, bytes]:
        """As without steps."""
        return self.inner.files()


def registered(name: str) -> EntryPoint | None:
    """The entry point of a step; None where nothing installed here registers it."""
    return next(iter(entry_points(group=GROUP, name=name)), None)


def _read(item: Mapping[str, Any]) -> NamedStep:
    name, distribution = item["name"], item["distribution"]
    point = registered(name)
    if point is None:
        raise PackageError(
            f"the model needs the step '{name}' of the distribution {distribution}, which is not installed "
            f"here (entry point group {GROUP}): use the image that trained it, or install {distribution}"
        )
    try:
        return NamedStep(name, distribution, point.load().from_json(item["state"]))
    except Exception as error:
        raise PackageError(
            f"the step '{name}' cannot be read ({type(error).__name__}: {error}): install {distribution}, "
            "with which the model was trained"
        ) from error


def _cells(values: Any) -> NDArray[Any]:
    """Numbers as float64, everything else as objects: a text, or None."""
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    return _objects([None if is_missing(value) else str(value) for value in array.tolist()])


def _objects(values: Sequence[Any]) -> NDArray[Any]:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
