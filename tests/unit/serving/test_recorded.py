"""When an answer counts as the recorded one."""

from __future__ import annotations

import dataclasses
import math

import pytest

from trainyard_trainer.serving.recorded import Recorded, columns_of, difference, row_answers

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


@pytest.mark.parametrize(
    ("outputs", "rows"),
    [
        (
            {"prediction": [1, 0], "probability_0": [0.2, 0.7], "probability_1": [0.8, 0.3]},
            [
                {"prediction": 1, "probabilities": {"0": 0.2, "1": 0.8}},
                {"prediction": 0, "probabilities": {"0": 0.7, "1": 0.3}},
            ],
        ),
        ({"prediction": [1.5, 2.5]}, [{"prediction": 1.5}, {"prediction": 2.5}]),
        (
            {"prediction_a": [1.5, 2.5], "prediction_probability_b": [3.5, 4.5]},
            [
                {"predictions": {"a": 1.5, "probability_b": 3.5}},
                {"predictions": {"a": 2.5, "probability_b": 4.5}},
            ],
        ),
    ],
    ids=["classes", "value", "values"],
)
def test_rows_and_columns_say_the_same(
    outputs: dict[str, list[object]], rows: list[dict[str, object]]
) -> None:
    assert row_answers(outputs) == rows
    assert columns_of(rows) == outputs


def manifest(version: int, **changes: object) -> dict[str, object]:
    target = {"mean": 1.0, "scale": -4.0} if version == 1 else {"means": [1.0, 2.0], "scales": [4.0, 0.0]}
    expected = {"prediction": [1.0]} if version == 1 else {"prediction_a": [1.0], "prediction_b": [2.0]}
    schema = {"task": "Regression"}
    return {"target": target, "schema": schema, "inputExample": {}, "expectedOutput": expected, **changes}


def test_differences_are_measured_in_units_of_each_target() -> None:
    assert Recorded.of_manifest(manifest(1)).units == {"prediction": 4.0}
    two = Recorded.of_manifest(manifest(2))
    assert two.units == {"prediction_a": 4.0, "prediction_b": 1.0}
    assert two.rows == 1
    assert difference(two, {"prediction_a": [1.00003], "prediction_b": [2.0]})[0] is None
    assert "'prediction_b'" in str(difference(two, {"prediction_a": [1.0], "prediction_b": [2.00003]})[0])


@pytest.mark.parametrize(("second", "wrong"), [("b", False), ("a", True)])
def test_by_a_threshold_the_class_is_the_thresholds(second: str, wrong: bool) -> None:
    recorded = dataclasses.replace(CLASSES, threshold=0.4)  # the second row: 0.5 is clearly above
    assert (difference(recorded, answer(second=second))[0] is not None) is wrong
    tied = dataclasses.replace(CLASSES, threshold=0.500001)
    assert difference(tied, answer(second=second))[0] is None
