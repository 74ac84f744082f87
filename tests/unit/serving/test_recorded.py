"""When an answer counts as the recorded one."""

from __future__ import annotations

import math

import pytest

from trainyard_trainer.serving.recorded import Recorded, columns_of, difference

CLASSES = Recorded(
    {}, {"prediction": ["a", "b"], "probability_a": [0.9, 0.5], "probability_b": [0.1, 0.5]}, {}
)
VALUES = Recorded({}, {"prediction": [200_000.0, 300_000.0]}, {"prediction": 50_000.0})


def answer(a: float = 0.9, second: str = "b", first: str = "a") -> dict[str, list[object]]:
    return {"prediction": [first, second], "probability_a": [a, 0.5], "probability_b": [1 - a, 0.5]}


@pytest.mark.parametrize(
    ("recorded", "found", "wrong"),
    [
        (CLASSES, answer(), None),
        (CLASSES, answer(0.900009), None),
        (CLASSES, answer(0.90002), "of recorded row 0 differs by 2e-05"),
        (CLASSES, answer(math.nan), "differs by nan"),
        (CLASSES, answer(second="a"), None),  # as probable as the other
        (CLASSES, answer(first="b"), "the class of recorded row 0"),
        (CLASSES, {"prediction": ["a", "b"]}, "the outputs are"),
        (VALUES, {"prediction": [200_000.4, 300_000.0]}, None),  # 1e-5 of a standard deviation
        (VALUES, {"prediction": [200_000.6, 300_000.0]}, "row 0 differs by 1.2e-05"),
        (VALUES, {"prediction": [200_000.0]}, "2 rows are recorded"),
    ],
)
def test_difference(recorded: Recorded, found: dict[str, list[object]], wrong: str | None) -> None:
    said, _ = difference(recorded, found)
    assert said is None if wrong is None else said is not None and wrong in said


def test_rows_as_answered_become_columns() -> None:
    rows = [{"prediction": 1, "probabilities": {"1": 0.8}}, {"prediction": 0, "probabilities": {"1": 0.3}}]
    assert columns_of(rows) == {"prediction": [1, 0], "probability_1": [0.8, 0.3]}
