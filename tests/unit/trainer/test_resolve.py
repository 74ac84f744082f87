"""Every field of the API either reaches its stage or is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainer.jobs import attempt_spec, job
from trainyard.api.wire import AttemptSpec
from trainyard_trainer.data.settings import SourceSettings
from trainyard_trainer.errors import InvalidSpec
from trainyard_trainer.resolve import read_spec, resolve

URI = "http://mlflow:5000"
LSTM: dict[str, Any] = {"model": {"tabnet": None, "lstm": {"embeddingSize": 50}}}


def resolved(**changes: Any) -> Any:
    return job(URI, Path("/tmp"), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"tabnet": None, "custom": {"image": "x"}}}, "model.custom runs its own image"),
        ({"data": {"columns": {"text": ["a"]}}}, "data.columns.text: this model reads no texts"),
        ({"data": {"split": {"folds": 5, "by": "Order"}}}, "data.split.folds with by: Order"),
        ({"data": {"text": {}}}, "data.text: this model reads no texts"),
        ({**LSTM, "data": {"columns": {"text": ["a", "b"]}}}, "data.columns.text names 2 columns"),
        (
            {**LSTM, "data": {"columns": {"numeric": ["a"]}}},
            "data.columns.numeric: the model reads one column",
        ),
        (
            {**LSTM, "data": {"text": {"tokenizer": "BPE", "vectors": {"uri": "v"}}}},
            "data.text.vectors are of words",
        ),
        ({"data": {"image": {}}}, "data.image: this model reads no images"),
        ({"data": {"source": {"uri": "x", "format": "IDX"}}}, "data.source.format: IDX holds images"),
        ({"compute": {"nodes": 65, "processesPerNode": 2}}, "batchSize is 128, and 130 processes share"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSpec, match=message) as caught:
        resolved(**changes)
    assert caught.value.remedy


def test_a_split_reaches_the_data_stage() -> None:
    """Files of parts are read as the source is, each with its own pin."""
    pin = "0" * 64
    found = resolved(
        data={
            "source": {"uri": "/d/train.csv", "sha256": "1" * 64, "csv": {"delimiter": ";"}, "format": "CSV"},
            "targets": ["a", "b"],
            "columns": {"weight": "w"},
            "split": {
                "by": "Files",
                "files": {"test": {"uri": "pvc://claim/test.csv", "sha256": pin}},
                "folds": 5,
                "repeats": 3,
            },
        }
    ).data
    test = found.split.test_file
    assert test is not None
    assert (test.uri, test.sha256, test.csv.delimiter, test.format) == (
        "/mnt/claims/claim/test.csv",
        pin,
        ";",
        "CSV",
    )
    assert found.split.validation_file is None
    assert (found.split.by, found.split.folds, found.split.repeats) == ("Files", 5, 3)
    assert (found.targets, found.columns.weight) == (("a", "b"), "w")
    by_group = resolved(data={"split": {"by": "Group", "column": "patient"}}).data.split
    assert (by_group.by, by_group.column) == ("Group", "patient")


def test_texts_reach_the_data_stage() -> None:
    data = {
        "columns": {"text": ["note"]},
        "text": {
            "tokenizer": "Word",
            "vocabularySize": 99,
            "maxLength": 77,
            "padding": "Start",
            "stopWords": ["the"],
            "normalise": {"lower": True, "contractions": False},
            "vectors": {"uri": "pvc://claim/v.txt", "sha256": "0" * 64, "trainable": True},
        },
    }
    found = resolved(**LSTM, data=data).data
    assert (found.inputs, found.columns.text) == ("text", ("note",))
    text = found.text
    assert (text.tokenizer, text.vocabulary_size, text.max_length, text.width) == ("Word", 99, 77, 50)
    assert (text.padding, text.truncation, text.stop_words) == ("start", "end", ("the",))
    steps = (text.lower, text.contractions, text.strip_apostrophes, text.drop_unknown_symbols)
    assert steps == (True, False, None, None)
    assert text.vectors is not None
    assert text.vectors.source == SourceSettings("/mnt/claims/claim/v.txt", "0" * 64)
    assert text.vectors.trainable


def test_settings_reach_their_stage() -> None:
    found = resolved(
        model={
            "tabnet": {"nD": 16, "nA": 12, "maskType": "Entmax", "embeddingSize": 3, "categoryDropout": 0.1}
        },
        data={
            "source": {"uri": "pvc://claim/a/b.csv", "csv": {"nullValues": ["-"]}, "format": "CSV"},
            "target": "y",
            "positiveClass": "yes",
            "classWeights": {"fixed": {"yes": 2.0}},
            "columns": {"drop": ["a"], "key": ["b"]},
            "split": {"validation": 0.2, "test": 0.3, "seed": 5},
            "trainFraction": 0.5,
        },
        training={
            "optimizer": {"name": "adamw", "weightDecay": 0.1},
            "earlyStopping": {"metric": "val_loss", "patience": 4, "minDelta": 0.1},
            "gradientClipping": {"norm": 2.0},
            "seed": 9,
            "metric": "val_accuracy",
            "goal": "Maximize",
            "checkpointing": {"intervalSeconds": 60},
        },
    )
    assert (found.model.n_d, found.model.n_a, found.model.mask_type) == (16, 12, "entmax")
    assert (found.model.embedding_size, found.model.category_dropout) == (3, 0.1)
    assert found.data.source.uri == "/mnt/claims/claim/a/b.csv"
    assert (found.data.source.csv.null_values, found.data.source.csv.delimiter) == (("-",), None)
    assert (found.data.columns.drop, found.data.columns.key) == (("a",), ("b",))
    assert (found.data.split.validation, found.data.split.test, found.data.split.seed) == (0.2, 0.3, 5)
    assert (found.data.positive_class, found.data.train_fraction) == ("yes", 0.5)
    fit = found.fit
    assert (fit.optimizer.name, fit.optimizer.weight_decay, fit.optimizer.learning_rate) == (
        "adamw",
        0.1,
        0.02,
    )
    assert (fit.stop_metric, fit.patience, fit.min_delta, fit.clip_norm) == ("val_loss", 4, 0.1, 2.0)
    assert (fit.seed, fit.metric, fit.maximize, fit.checkpoint_seconds) == (9, "val_accuracy", True, 60)
    assert fit.class_weights == (("yes", 2.0),)


@pytest.mark.parametrize(("name", "rate"), [("adam", 0.02), ("sgd", 0.01), ("adadelta", 1.0)])
def test_learning_rates_where_silent(name: str, rate: float) -> None:
    found = resolved(training={"optimizer": {"name": name}})
    assert found.fit.optimizer.learning_rate == rate
    assert found.params["training.optimizer.learningRate"] == repr(rate)


def test_the_run_is_named_and_tagged() -> None:
    identity = resolved(tracking={"tags": {"team": "risk"}}).identity
    assert (identity.uri, identity.experiment, identity.name, identity.uid) == (
        URI,
        "team-a/bc",
        "bc",
        "uid-1",
    )
    assert identity.tags == {
        "team": "risk",
        "trainyard.kind": "TrainingJob",
        "trainyard.namespace": "team-a",
        "trainyard.name": "bc",
        "trainyard.cluster": "c-1",
    }


def test_parameters_are_the_whole_specification_flat() -> None:
    params = resolved().params
    assert params["model.tabnet.nD"] == "4"
    assert params["model.tabnet.gamma"] == "1.3"  # a default
    assert params["data.source.uri"] == "sample://breast_cancer"
    assert all(isinstance(value, str) for value in params.values())


def test_a_coordinator_is_optional() -> None:
    body = attempt_spec(URI)
    body["coordinator"] = {"url": "https://c:8443", "tokenFile": "/t", "caFile": "/ca"}
    endpoint = resolve(AttemptSpec.model_validate(body)).endpoint
    assert endpoint is not None
    assert (endpoint.url, str(endpoint.token_file), str(endpoint.ca_file)) == ("https://c:8443", "/t", "/ca")
    assert resolved().endpoint is None


def test_a_spec_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    with pytest.raises(InvalidSpec, match="cannot be read: No such file"):
        read_spec(path)
    path.write_text(json.dumps(attempt_spec(URI, training={"epochs": "many"})))
    with pytest.raises(InvalidSpec, match=r"training\.epochs: Input should be a valid integer"):
        read_spec(path)
