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
    """Raw columns, the outputs expected for them, and the size of one unit of the target (1 for classes)."""

    example: Mapping[str, Sequence[Any]]
    expected: Mapping[str, Sequence[Any]]
    unit: float

    @classmethod
    def of_manifest(cls, manifest: Mapping[str, Any]) -> Recorded:
        """From the content of package.json."""
        regression = manifest["schema"]["task"] == "Regression"
        unit = abs(float(manifest["target"]["scale"])) or 1.0 if regression else 1.0
        return cls(manifest["inputExample"], manifest["expectedOutput"], unit)

    @classmethod
    def read(cls, folder: Path) -> Recorded:
        """From a package folder."""
        return cls.of_manifest(json.loads((folder / "package.json").read_text(encoding="utf-8")))

    @property
    def rows(self) -> int:
        """Number of recorded rows."""
        return len(self.expected.get(PREDICTION, ()))

    def row_objects(self) -> list[dict[str, Any]]:
        """The example as /predict takes it."""
        names = list(self.example)
        return [dict(zip(names, cells, strict=True)) for cells in zip(*self.example.values(), strict=True)]


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """What /predict answers, as output columns by name."""
    columns: dict[str, list[Any]] = {PREDICTION: [row[PREDICTION] for row in rows]}
    for row in rows:
        for label, value in row.get("probabilities", {}).items():
            columns.setdefault(PROBABILITY + label, []).append(value)
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
        if name == PREDICTION and len(recorded.expected) > 1:
            continue
        for row, (one, other) in enumerate(zip(expected, answer[name], strict=True)):
            apart = abs(float(one) - float(other)) / recorded.unit
            if not apart <= largest:  # NaN counts as larger
                largest = apart
                if not apart <= TOLERANCE:
                    wrong = f"output '{name}' of recorded row {row} differs by {apart:.3g}"
    if wrong is not None:
        return f"{wrong}, more than {TOLERANCE:g}", largest
    return _labels(recorded, answer), largest


def _labels(recorded: Recorded, answer: Mapping[str, Sequence[Any]]) -> str | None:
    """Classes must be the same, except where the two most probable ones are as good as equal."""
    chances = [values for name, values in recorded.expected.items() if name.startswith(PROBABILITY)]
    if not chances:
        return None
    pairs = zip(recorded.expected[PREDICTION], answer[PREDICTION], strict=True)
    for row, (one, other) in enumerate(pairs):
        best = sorted((float(values[row]) for values in chances), reverse=True)
        clear = len(best) < 2 or best[0] - best[1] > 2 * TOLERANCE
        if one != other and clear:
            return f"the class of recorded row {row} is another one"
    return None
