"""The last word of a pod is whatever a user's program wrote there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.api.status import TrainingJobStatus
from trainyard.api.wire import Result as WireResult
from trainyard.core.result import parse_result


def test_reads_what_the_wire_model_writes() -> None:
    wire = WireResult.model_validate(
        {
            "exitCode": 65,
            "cause": "DataError",
            "message": "no rows",
            "runID": "r1",
            "modelURI": "models:/m-1",
            "modelSHA256": "b" * 64,
            "metrics": {"val_rmse": 0.5},
            "data": {"dataDigest": "d", "rows": 3},
        }
    )
    found = parse_result(wire.to_message())
    assert found is not None
    assert found.message == "no rows"
    assert found.mlflow == {"runID": "r1", "modelURI": "models:/m-1", "modelSHA256": "b" * 64}
    assert found.metrics == {"val_rmse": 0.5}
    assert found.data == {"dataDigest": "d", "rows": 3}


@pytest.mark.parametrize("word", ["", "Killed", "{", "[1]", '"x"', "{}", '{"formatVersion"', "9" * 5000])
def test_anything_else_is_no_result(word: str) -> None:
    assert parse_result(word) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
keys = ("cause", "message", "remedy", "experimentID", "runID", "modelURI", "modelSHA256", "metrics", "data")


@given(st.dictionaries(st.sampled_from(keys), json_values))
def test_hostile_results_never_break_the_status(body: dict[str, object]) -> None:
    found = parse_result(json.dumps({"formatVersion": 1, **body}))
    assert found is not None
    TrainingJobStatus.strict(
        {"mlflow": dict(found.mlflow), "metrics": dict(found.metrics), "data": dict(found.data)}
    )


def test_metrics_that_are_no_numbers_are_left_out() -> None:
    found = parse_result(
        '{"formatVersion":1,"metrics":{"a":NaN,"b":Infinity,"c":1e308,"d":true,"e":"1","f":2,"g h":1}}'
    )
    assert found is not None
    assert found.metrics == {"f": 2.0}
