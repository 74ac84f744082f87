"""What a report is made of: plain values, gathered once by whoever has trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainyard_model import Layer
from trainyard_model.schema import Label, Task

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Values = NDArray[Any]

_SMALLEST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that were predicted.

    Attributes:
        scores: Class probabilities (rows, classes), or predicted values (rows, targets) in their own units.
        target: Class numbers (rows,), or true values (rows,) or (rows, targets).
        numbers: Where each row stands among the rows that have a target, from 0.
    """

    scores: Floats
    target: Values
    numbers: Integers

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True, slots=True)
class Fraction:
    """Score of a model that was trained with a share of the training rows."""

    rows: int
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Findings:
    """Everything that a report tells.

    Attributes:
        name: The job's.
        family: The model family's.
        task: Classification or Regression.
        targets: Names of the target columns.
        classes: Labels in the order of the scores; of two the second is the positive one.
        judged: The rows that charts are drawn from.
        part: Whether those are test rows, or others because there is no test part.
        history: Metrics by epoch (the first is 1), `train_loss` and `val_loss` among them.
        best_epoch: Whose weights were kept.
        metric: The validation metric that chose the epoch.
        evaluation: As in `evaluation.json`.
        importance: Share of each input column, adding up to 1.
        columns: Raw cells of the judged rows by input column.
        explained: Which of the judged rows `explanations` are of.
        explanations: By input column what each explained row's answer rests on: of a table a number a row, of
            texts the list of words with their weights, of images a map (rows, height, width).
        inputs: What the model reads.
        coverage: How much of the texts the tokenizer, and the vectors, know.
        fractions: Score against the share of training rows, of `fraction_metric`.
        layers: The network's blocks.
        notices: What was left out or assumed about the data.
    """

    name: str
    family: str
    task: Task
    targets: tuple[str, ...]
    classes: tuple[Label, ...]
    judged: Part
    part: Literal["test", "validation", "training"] = "test"
    history: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    best_epoch: int | None = None
    metric: str = ""
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    importance: Mapping[str, float] = field(default_factory=dict)
    columns: Mapping[str, Values] = field(default_factory=dict)
    explained: Integers | None = None
    explanations: Mapping[str, Any] | None = None
    inputs: Literal["table", "text", "image"] = "table"
    coverage: Mapping[str, Any] | None = None
    fractions: Sequence[Fraction] = ()
    fraction_metric: str = ""
    layers: Sequence[Layer] = ()
    notices: Sequence[str] = ()

    @property
    def classification(self) -> bool:
        """Whether there are classes."""
        return self.task == "Classification"

    @property
    def threshold(self) -> float | None:
        """Decision threshold of two classes; None for the likeliest class."""
        value = self.evaluation.get("threshold")
        return float(value) if value is not None and len(self.classes) == 2 else None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Classes as text."""
        return tuple(str(label) for label in self.classes)

    @cached_property
    def takes(self) -> str:
        """What the model reads, in words."""
        if self.inputs == "text":
            return "texts"
        if self.inputs == "image" and self.columns:
            high, wide, *channels = next(iter(self.columns.values())).shape[1:]
            return f"images of {wide} × {high}{', in colour' if channels and channels[0] > 2 else ''}"
        count = len(self.columns) or len(self.importance)
        return "1 column" if count == 1 else f"{count:,} columns"

    @cached_property
    def predicted(self) -> Integers:
        """Class number given to each judged row."""
        scores = self.judged.scores
        if self.threshold is not None:
            return (scores[:, 1] >= self.threshold).astype(np.int64)
        return np.asarray(scores.argmax(1), dtype=np.int64)

    @cached_property
    def truth(self) -> Floats:
        """True values (rows, targets) of a regression."""
        return self.judged.target.reshape(len(self.judged), -1).astype(np.float64)

    @cached_property
    def loss(self) -> Floats:
        """How bad each judged row's answer is, for ordering.

        Negative log-probability of the true class; for values the mean over targets of the squared error in
        units of the target's variance.
        """
        part = self.judged
        if self.classification:
            chosen = part.scores[np.arange(len(part)), part.target.astype(np.int64)]
            return np.asarray(-np.log(np.clip(chosen, _SMALLEST, 1.0)), dtype=np.float64)
        spread = self.truth.std(0)
        return np.asarray((((part.scores - self.truth) / np.where(spread > 0, spread, 1.0)) ** 2).mean(1))

    @cached_property
    def ranked_features(self) -> tuple[str, ...]:
        """Input columns, the most important first."""
        names = list(self.columns) or list(self.importance)
        return tuple(sorted(names, key=lambda name: -self.importance.get(name, 0.0)))

    def sampled(self, limit: int, seed: int = 0) -> tuple[Findings, str]:
        """The same with at most `limit` judged rows, and a sentence about it; empty when none is left out.

        Explanations are dropped: they are of rows that may not be among these.
        """
        count = len(self.judged)
        if count <= limit:
            return self, ""
        rows = np.sort(np.random.default_rng(seed).choice(count, limit, replace=False))
        part = Part(self.judged.scores[rows], self.judged.target[rows], self.judged.numbers[rows])
        columns = {name: values[rows] for name, values in self.columns.items()}
        sentence = f"Drawn from {limit:,} of {count:,} {self.part} rows, taken at random."
        return replace(self, judged=part, columns=columns, explained=None, explanations=None), sentence
