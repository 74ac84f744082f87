"""The messages between processes, as they are spelled in the pod contract."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from trainyard.api.states import EXIT_CAUSES, Cause, ExitCode, State
from trainyard.api.wire import RESULT_MAX_BYTES, AttemptSpec, Progress, ProgressReply, Result

SPEC = {
    "formatVersion": 1,
    "kind": "TrainingJob",
    "namespace": "team-a",
    "name": "adult",
    "uid": "u-1",
    "clusterUID": "",
    "attempt": 1,
    "spec": {"model": {"tabnet": {"nD": 16}}, "data": {"source": {"uri": "sample://wine"}}},
    "tracking": {"uri": "http://trainyard-mlflow.trainyard.svc:5000", "experiment": "adult"},
    "coordinator": {
        "url": "https://trainyard-coordinator.trainyard.svc:8443",
        "tokenFile": "/var/run/secrets/trainyard/token",
        "caFile": "/etc/trainyard/ca.crt",
    },
}
PROGRESS = {
    "attempt": 1,
    "epoch": 3,
    "epochs": 50,
    "percent": 6,
    "etaSeconds": 12.5,
    "metrics": {"train_loss": 0.4, "val_roc_auc": 0.9},
    "experimentID": "1",
    "runID": "r",
}
RESULT = {
    "formatVersion": 1,
    "exitCode": 65,
    "cause": "DataError",
    "message": "column 'x' is missing",
    "remedy": "name a column of the file",
    "experimentID": "1",
    "runID": "r",
    "modelURI": "models:/m-1",
    "modelSHA256": "ab" * 32,
    "metrics": {"val_roc_auc": 0.99, "test_roc_auc": 0.99},
    "data": {"dataDigest": "d", "holdoutDigest": "h", "rows": 569},
    "epochs": 50,
}


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (AttemptSpec, SPEC),
        (Progress, PROGRESS),
        (Result, RESULT),
        (ProgressReply, {"stop": False, "nextAfterSeconds": 2.0}),
        (ProgressReply, {"stop": False, "nextAfterSeconds": 2.0, "imageID": "trainer@sha256:ab"}),
    ],
)
def test_spelling(
    model: type[AttemptSpec | Progress | Result | ProgressReply], body: dict[str, object]
) -> None:
    assert model.model_validate_json(json.dumps(body)).to_kubernetes(defaults=False) == body


def test_a_laptop_has_no_coordinator() -> None:
    assert AttemptSpec.model_validate({**SPEC, "coordinator": None}).coordinator is None


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(ValidationError):
        AttemptSpec.model_validate({**SPEC, "formatVersion": 2})
    with pytest.raises(ValidationError):
        Result.model_validate({**RESULT, "formatVersion": 2})


def test_absent_keys_are_left_out_of_a_result() -> None:
    assert json.loads(Result(epochs=3).to_message()) == {"formatVersion": 1, "exitCode": 0, "epochs": 3}


def test_a_long_result_keeps_its_cause_and_the_start_of_its_texts() -> None:
    long = Result(
        exit_code=65,
        cause=Cause.DATA_ERROR,
        message="ä" * 4096,
        remedy="r" * 3000,
        metrics={f"test_metric_{i}": float(i) for i in range(128)},
    )
    text = long.to_message()
    assert RESULT_MAX_BYTES // 2 < len(text.encode()) <= RESULT_MAX_BYTES
    read = Result.model_validate_json(text)
    assert read.cause is Cause.DATA_ERROR
    assert read.message is not None
    assert read.message.startswith("ää")
    assert read.message.endswith("…")
    assert read.metrics == {"test_metric_0": 0.0}


def test_many_metrics_alone_are_thinned_from_the_end() -> None:
    metrics = {f"test_metric_of_some_length_{i:03d}": i / 3 for i in range(128)}
    read = Result.model_validate_json(Result(metrics=metrics).to_message())
    kept = list(read.metrics)
    assert kept == list(metrics)[: len(kept)]
    assert len(kept) > 60


def test_every_exit_code_but_done_has_a_cause() -> None:
    assert set(EXIT_CAUSES) == set(ExitCode) - {ExitCode.DONE}
    assert EXIT_CAUSES[69] is Cause.DEPENDENCY_DOWN


def test_terminal_states() -> None:
    assert [state for state in State if state.terminal] == [State.SUCCEEDED, State.FAILED]
