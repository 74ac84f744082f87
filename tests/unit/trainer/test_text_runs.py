"""Trainings on texts, from a manifest to a package that answers, with pretrained vectors and baselines."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.trainer.jobs import Quiet, job, store
from trainyard_model import Predictor
from trainyard_model.words import RAW
from trainyard_trainer.assembly import fingerprint
from trainyard_trainer.assess import assess_baselines
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import Prepared, prepare
from trainyard_trainer.evaluate.settings import EvaluationSettings
from trainyard_trainer.evaluate.tfidf import fit_tfidf
from trainyard_trainer.fit.feed import DevicePart
from trainyard_trainer.runner import run_job
from trainyard_trainer.stop import StopRequest

NOTES: dict[str, Any] = {
    "model": {"tabnet": None, "lstm": {"embeddingSize": 4, "hiddenSize": 8}},
    "data": {"source": {"uri": "sample://notes?rows=300"}},
    "training": {"epochs": 2, "batchSize": 64},
}


def prepared(folder: Path, **data: Any) -> Prepared:
    one = job("http://none", folder, **{**NOTES, "data": {**NOTES["data"], **data}})
    return prepare(load(one.data, folder)[0], one.data)


def test_a_run_starts_from_vectors_and_leaves_them(mlflow_template: Path, tmp_path: Path) -> None:
    words = ("the", "I", "parcel", "screen", "invoice", "account", "with")
    (tmp_path / "v.txt").write_text("".join(f"{w} {i} 0.5 -{i} 1\n" for i, w in enumerate(words)))
    data = {**NOTES["data"], "text": {"vectors": {"uri": str(tmp_path / "v.txt")}}}
    uri = store(mlflow_template, tmp_path)
    one = job(uri, tmp_path, **{**NOTES, "data": data})
    result, outcome = run_job(one, tmp_path / "w", Quiet(), StopRequest())
    assert result.exit_code == 0, result
    assert {"test_accuracy", "test_baseline_accuracy", "test_majority_accuracy"} <= set(outcome.metrics)
    predictor = Predictor.load(tmp_path / "w" / "package")
    weights = predictor.package.weights["embedding.weight"]
    (tokens,) = predictor.package.preprocessor.encode({"note": ["invoice the"]})
    assert weights[tokens[0, 0]].tolist() == [4.0, 0.5, -4.0, 1.0]
    assert weights[tokens[0, 1]].tolist() == [0.0, 0.5, -0.0, 1.0]
    answers = predictor.predict({"note": ["Where is the parcel?", None, "NA", ""]})
    assert set(answers["prediction"]) <= {"accounts", "deliveries", "invoices", "repairs"}
    empty = answers["probability_repairs"][1:]
    assert np.ptp(empty) < 1e-6


def test_other_vectors_at_the_same_address_are_another_training(tmp_path: Path) -> None:
    """Their words are in the vocabulary, so a checkpoint's tokens would mean other words."""
    path = tmp_path / "v.txt"
    text = {"vectors": {"uri": str(path)}}
    plain = prepared(tmp_path)
    counts = Counter(word for note in plain.raw(plain.rows.train)["note"] for word in RAW.findall(note))
    once = next(word for word, count in counts.items() if count == 1)
    marks = []
    for word in ("parcel", "parcel", once):
        path.write_text(f"the 1 2 3 4\n{word} 1 2 3 4\n")
        one = job("http://none", tmp_path, **{**NOTES, "data": {**NOTES["data"], "text": text}})
        marks.append(fingerprint(one, prepared(tmp_path, text=text)))
    assert marks[0] == marks[1]
    assert marks[0] != marks[2]


def test_the_baseline_of_texts_counts_words(tmp_path: Path) -> None:
    data = prepared(tmp_path)
    found = assess_baselines(data, DevicePart(data.train, "cpu"), EvaluationSettings(), lambda: False)
    assert found["test_baseline_accuracy"] > found["test_majority_accuracy"] + 0.2
    scores = fit_tfidf(data, 0)(data.rows.test)
    assert scores.shape == (len(data.rows.test), 4)
    assert scores.sum(1) == pytest.approx(1.0)


def test_the_baseline_of_values_is_a_ridge(tmp_path: Path) -> None:
    rows = [f"{'good ' * (i % 5)}film number {i},{i % 5 + 0.5}" for i in range(120)]
    (tmp_path / "d.csv").write_text("note,stars\n" + "\n".join(rows) + "\n")
    data = prepared(tmp_path, source={"uri": str(tmp_path / "d.csv")}, task="Regression")
    found = assess_baselines(data, DevicePart(data.train, "cpu"), EvaluationSettings(), lambda: False)
    assert found["test_baseline_rmse"] < found["test_majority_rmse"]
