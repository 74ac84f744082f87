"""Several targets, and a threshold, from a package to what clients read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.trainer.test_package import ROWS, package
from trainyard_model import Package, Predictor, write_package
from trainyard_trainer.serving import describe
from trainyard_trainer.serving import model as models
from trainyard_trainer.serving.app import infer_tensors, predict_rows
from trainyard_trainer.serving.recorded import columns_of, difference
from trainyard_trainer.serving.settings import Settings

BODY = [dict(zip(ROWS, cells, strict=True)) for cells in zip(*ROWS.values(), strict=True)]


def served(one: Package, folder: Path) -> models.Model:
    """Loaded as a server does, after the warm-up with the recorded answers."""
    answer = {name: values.tolist() for name, values in Predictor(one).predict(ROWS).items()}
    write_package(dataclasses.replace(one, input_example=ROWS, expected_output=answer), folder)
    return models.load(Settings(folder, "jobs", "7"))


@pytest.mark.parametrize("family", ["mlp", "tabnet"])
def test_several_targets_are_answered_by_name(family: str, tmp_path: Path) -> None:
    model = served(package("multi-output", family), tmp_path)
    content, count = predict_rows(model, json.dumps(BODY).encode(), 10)
    rows = json.loads(content)["rows"]
    assert count == 3
    assert [list(row) for row in rows] == [["predictions"]] * 3
    assert list(rows[0]["predictions"]) == ["t", "u"]
    assert difference(model.recorded, columns_of(rows))[0] is None
    said = describe.model(model)
    assert [one["name"] for one in said["outputs"]] == ["prediction_t", "prediction_u"]
    assert said["parameters"]["targets"] == ["t", "u"]


def test_tensors_of_several_targets(tmp_path: Path) -> None:
    model = served(package("multi-output"), tmp_path)
    wanted = {**describe.example_tensors(model), "outputs": [{"name": "prediction_u"}]}
    content, count = infer_tensors(model, json.dumps(wanted).encode(), 10)
    (found,) = json.loads(content)["outputs"]
    assert count == 1
    assert (found["name"], found["shape"], found["datatype"]) == ("prediction_u", [1], "FP64")
    expected = model.predictor.predict({name: values[:1] for name, values in ROWS.items()})
    np.testing.assert_allclose(found["data"], expected["prediction_u"], rtol=1e-6)


def test_a_threshold_is_served_and_said(tmp_path: Path) -> None:
    one = package("binary")
    model = served(dataclasses.replace(one, threshold=0.0), tmp_path)
    rows = json.loads(predict_rows(model, json.dumps(BODY).encode(), 10)[0])["rows"]
    assert [row["prediction"] for row in rows] == ["yes"] * 3
    assert describe.model(model)["parameters"]["threshold"] == 0.0
