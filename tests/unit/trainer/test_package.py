"""A package answers after a round trip as it did before, and says when it cannot."""

from __future__ import annotations

import ast
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import trainyard_model
from trainyard_model import (
    Column,
    Package,
    PackageError,
    Predictor,
    Preprocessor,
    Schema,
    package_digest,
    read_package,
    write_package,
)
from trainyard_model.families.tabnet import TabNet, TabNetConfig

COLUMNS = (Column("a", "numeric"), Column("b", "numeric"), Column("c", "categorical"))
ROWS = {"a": [1.0, 2.0, None], "b": [5, 6, 7], "c": ["x", "y", "never seen"]}


def package(task: str = "Classification") -> Package:
    torch.manual_seed(0)
    classes = ("no", "yes", "maybe") if task == "Classification" else ()
    schema = Schema(task, ("t",), COLUMNS, classes)  # type: ignore[arg-type]
    preprocessor = Preprocessor(schema, (1.0, 6.0), (0.5, 2.0), (("x", "y"),))
    config = TabNetConfig(2, preprocessor.cardinalities, (2,), len(classes) or 1)
    network = TabNet(config)
    network(torch.randn(64, 2), torch.randint(0, 4, (64, 1)))  # move the running statistics
    scaling = ((), ()) if classes else ((100.0,), (7.0,))
    return Package("tabnet", config, preprocessor, network.state_dict(), *scaling)


@pytest.mark.parametrize("task", ["Classification", "Regression"])
def test_round_trip_gives_the_same_answers(task: str, tmp_path: Path) -> None:
    before = package(task)
    write_package(before, tmp_path)
    expected, found = Predictor(before).scores(ROWS), Predictor.load(tmp_path).scores(ROWS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert read_package(tmp_path).schema == before.schema


def test_probabilities_sum_to_one_and_name_their_class(tmp_path: Path) -> None:
    answer = Predictor(package()).predict(ROWS)
    assert list(answer) == ["prediction", "probability_no", "probability_yes", "probability_maybe"]
    np.testing.assert_allclose(sum(answer[name] for name in list(answer)[1:]), 1.0)
    best = np.stack([answer[name] for name in list(answer)[1:]]).argmax(0)
    assert answer["prediction"].tolist() == [("no", "yes", "maybe")[i] for i in best]


def test_values_come_in_the_units_of_the_target() -> None:
    one = package("Regression")
    scaled = Predictor(one).predict(ROWS)["prediction"]
    plain = dataclasses.replace(one, target_means=(0.0,), target_scales=(1.0,))
    np.testing.assert_allclose(scaled, Predictor(plain).predict(ROWS)["prediction"] * 7.0 + 100.0)


def test_no_rows_are_an_answer_too() -> None:
    empty = Predictor(package()).predict({"a": [], "b": [], "c": []})
    assert [len(values) for values in empty.values()] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.safetensors").write_bytes(b"x"), "SHA-256"),
        (lambda f: (f / "package.json").write_text("{"), "not JSON"),
        (lambda f: (f / "package.json").unlink(), "no model package"),
        (lambda f: change(f, formatVersion=3), "package format 3"),
        (lambda f: change(f, family="oracle"), "'oracle' is unknown"),
    ],
    ids=["weights", "json", "absent", "newer", "family"],
)
def test_damage_is_told(damage: object, message: str, tmp_path: Path) -> None:
    write_package(package(), tmp_path)
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises(PackageError, match=message):
        Predictor.load(tmp_path)


def change(folder: Path, **fields: object) -> None:
    manifest = json.loads((folder / "package.json").read_text())
    (folder / "package.json").write_text(json.dumps(manifest | fields))


def test_digest_covers_both_files(tmp_path: Path) -> None:
    write_package(package(), tmp_path)
    first = package_digest(tmp_path)
    write_package(package(), tmp_path)
    assert package_digest(tmp_path) == first
    change(tmp_path, info={"x": 1})
    assert package_digest(tmp_path) != first


def test_the_package_imports_nothing_else() -> None:
    allowed = {"numpy", "torch", "safetensors", *sys.stdlib_module_names}
    for file in Path(trainyard_model.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert all(name.split(".")[0] in allowed for name in names), (file.name, names)
