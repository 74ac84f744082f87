"""The example that a package records, and whether an answer reproduces it.

The server asks this before it becomes ready, and the verify Job asks it through the Service; the latter
needs no torch, so nothing here does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOLERANCE = 1e-5
PREDICTION, PROBABILITY = "prediction", "probability_"


@dataclass(frozen=True, slots=True)
class Recorded:
    """Raw columns, and the outputs expected for them.

    Attributes:
        example: Input columns.
        expected: Output columns.
        units: One unit of each output that is a target's value: differences are measured in it.
        threshold: Probability from which the positive class is predicted; None predicts the likelier one.
    """

    example: Mapping[str, Sequence[Any]]
    expected: Mapping[str, Sequence[Any]]
    units: Mapping[str, float]
    threshold: float | None = None

    @classmethod
    def of_manifest(cls, manifest: Mapping[str, Any]) -> Recorded:
        """From the content of package.json, of format 1 too."""
        target, expected = manifest["target"], manifest["expectedOutput"]
        scales = target["scales"] if "scales" in target else [target["scale"]]
        regression = manifest["schema"]["task"] == "Regression"
        units = dict(zip(expected, (abs(float(scale)) or 1.0 for scale in scales), strict=False))
        return cls(manifest["inputExample"], expected, units if regression else {}, manifest.get("threshold"))

    @classmethod
    def read(cls, folder: Path) -> Recorded:
        """From a package folder."""
        return cls.of_manifest(json.loads((folder / "package.json").read_text(encoding="utf-8")))

    @property
    def rows(self) -> int:
        """Number of recorded rows."""
        return len(next(iter(self.expected.values()), ()))

    def row_objects(self) -> list[dict[str, Any]]:
        """The example as /predict takes it."""
        names = list(self.example)
        return [dict(zip(names, cells, strict=True)) for cells in zip(*self.example.values(), strict=True)]


def row_answers(outputs: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Output columns as /predict answers: of each row `prediction`, and `probabilities` by class.

    With several targets a row has `predictions` by target.
    """
    chances = {name: name.removeprefix(PROBABILITY) for name in outputs if name.startswith(PROBABILITY)}
    if PREDICTION not in outputs:
        chances = {name: name.removeprefix(f"{PREDICTION}_") for name in outputs}
    key = "probabilities" if PREDICTION in outputs else "predictions"
    rows: list[dict[str, Any]] = []
    for row in range(len(next(iter(outputs.values()), ()))):
        one: dict[str, Any] = {PREDICTION: outputs[PREDICTION][row]} if PREDICTION in outputs else {}
        if chances:
            one[key] = {label: outputs[name][row] for name, label in chances.items()}
        rows.append(one)
    return rows


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The inverse of `row_answers`."""
    columns: dict[str, list[Any]] = {}
    for row in rows:
        if PREDICTION in row:
            columns.setdefault(PREDICTION, []).append(row[PREDICTION])
        for key, prefix in (("probabilities", PROBABILITY), ("predictions", f"{PREDICTION}_")):
            for label, value in row.get(key, {}).items():
                columns.setdefault(prefix + label, []).append(value)
    return columns


def difference(recorded: Recorded, answer: Mapping[str, Sequence[Any]]) -> tuple[str | None, float]:
    """What is wrong with an answer (None: it reproduces the record), and the largest difference found."""
    if set(answer) != set(recorded.expected):
        return f"the outputs are {sorted(answer)}, recorded are {sorted(recorded.expected)}", math.inf
    lengths = {name: len(values) for name, values in answer.items()}
    if set(lengths.values()) != {recorded.rows}:
        return f"{recorded.rows} rows are recorded, answered are {lengths}", math.inf
    largest, wrong = 0.0, None
    for name, expected in recorded.expected.items():
        if name == PREDICTION and len(recorded.expected) > 1:  # a class: see below
            continue
        for row, (one, other) in enumerate(zip(expected, answer[name], strict=True)):
            apart = abs(float(one) - float(other)) / recorded.units.get(name, 1.0)
            if not apart <= largest:  # NaN counts as larger
                largest = apart
                if not apart <= TOLERANCE:
                    wrong = f"output '{name}' of recorded row {row} differs by {apart:.3g}"
    if wrong is not None:
        return f"{wrong}, more than {TOLERANCE:g}", largest
    return _labels(recorded, answer), largest


def _labels(recorded: Recorded, answer: Mapping[str, Sequence[Any]]) -> str | None:
    """Classes must be the same, except where two are as good as equally likely."""
    chances = [values for name, values in recorded.expected.items() if name.startswith(PROBABILITY)]
    if not chances:
        return None
    pairs = zip(recorded.expected[PREDICTION], answer[PREDICTION], strict=True)
    for row, (one, other) in enumerate(pairs):
        best = sorted((float(values[row]) for values in chances), reverse=True)
        clear = len(best) < 2 or best[0] - best[1] > 2 * TOLERANCE
        if recorded.threshold is not None:
            clear = abs(float(chances[1][row]) - recorded.threshold) > TOLERANCE
        if one != other and clear:
            return f"the class of recorded row {row} is another one"
    return None
