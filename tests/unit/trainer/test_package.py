"""A package answers after a round trip as it did before, and says when it cannot."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save

import trainyard_model
from tests.unit.trainer import kinds
from tests.unit.trainer.test_families import TABLES
from trainyard_model import (
    FAMILIES,
    FORMAT_VERSION,
    Batch,
    Column,
    Package,
    PackageError,
    Predictor,
    Schema,
    TablePreprocessor,
    package_digest,
    read_package,
    write_package,
)
from trainyard_model.package import signature
from trainyard_model.schema import Label
from trainyard_trainer.fit.losses import make_loss

COLUMNS = (Column("a", "numeric"), Column("b", "numeric"), Column("c", "categorical"))
ROWS = {"a": [1.0, 2.0, None], "b": [5, 6, 7], "c": ["x", "y", "never seen"]}
TASKS: dict[str, tuple[tuple[Label, ...], tuple[str, ...]]] = {
    "binary": (("no", "yes"), ("t",)),
    "multiclass": (("no", "yes", "maybe"), ("t",)),
    "regression": ((), ("t",)),
    "multi-output": ((), ("t", "u")),
}
STORED = Path(__file__).parent / "packages"
every_task = pytest.mark.parametrize("task", TASKS)
every_variant = pytest.mark.parametrize(("family", "settings"), TABLES)


def package(
    task: str = "multiclass", family: str = "tabnet", settings: Mapping[str, Any] | None = None
) -> Package:
    """A network trained for one step on noise: running statistics have moved, no output is 0."""
    classes, targets = TASKS[task]
    schema = Schema("Classification" if classes else "Regression", targets, COLUMNS, classes)
    preprocessor = TablePreprocessor(schema, (1.0, 6.0), (0.5, 2.0), (("x", "y"),))
    made, of = FAMILIES[family], preprocessor.shape()
    torch.manual_seed(0)
    network = made.build(made.config(made.settings(**settings or {}), of)).train()
    g = torch.Generator().manual_seed(0)
    inputs = (torch.randn(64, 2, generator=g), torch.randint(0, 4, (64, 1), generator=g))
    noise = torch.randn(64, of.outputs, generator=g)
    loss = make_loss(schema.task, None, 0.0)
    network.backward(Batch(inputs, noise.argmax(1) if classes else noise), loss, g)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter -= 0.1 * parameter.grad.sign() if parameter.grad is not None else 0.0
    scaling = ((), ()) if classes else ((100.0, -3.0)[: of.outputs], (7.0, 0.5)[: of.outputs])
    return Package(family, network.config, preprocessor, network.state_dict(), *scaling)


@every_variant
@every_task
def test_round_trip_gives_the_same_answers(
    family: str, settings: dict[str, Any], task: str, tmp_path: Path
) -> None:
    before = package(task, family, settings)
    write_package(before, tmp_path)
    expected, found = Predictor(before).scores(ROWS), Predictor.load(tmp_path).scores(ROWS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    after = read_package(tmp_path)
    assert (after.schema, after.config, after.family) == (before.schema, before.config, family)


_ALONE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import trainyard_model
assert trainyard_model.__file__.startswith(sys.argv[1]), trainyard_model.__file__
rows = json.loads(sys.argv[3])
loaded = lambda: {name.partition(".")[0] for name in sys.modules} & {"tokenizers", "PIL"}
found, needed = {}, {}
for folder in sorted(Path(sys.argv[2]).iterdir()):
    predictor = trainyard_model.Predictor.load(folder)
    answers = [predictor.predict(predictor.package.input_example or rows)]
    if not predictor.package.input_example:
        answers.append(predictor.explain(rows))
    found[folder.name] = [{name: values.tolist() for name, values in one.items()} for one in answers]
    needed[folder.name] = sorted(loaded())
assert needed.pop("text") == ["PIL", "tokenizers"], needed
assert needed.pop("image") == ["PIL"], needed
assert not any(needed.values()), "a table needs neither"
assert not any(name.split(".")[0] in ("trainyard", "trainyard_trainer", "mlflow") for name in sys.modules)
print(json.dumps(found))
"""


def test_every_family_answers_in_a_process_that_has_nothing_else(tmp_path: Path) -> None:
    code, packages = tmp_path / "code", tmp_path / "packages"
    source = Path(trainyard_model.__file__).parent
    shutil.copytree(source, code / "trainyard_model", ignore=shutil.ignore_patterns("__pycache__"))
    expected = {}
    for kind in kinds.SETTINGS:
        written = kinds.written(kinds.package(kind), kinds.rows(kind), packages / kind)
        expected[kind] = [json.loads((written / "package.json").read_text())["expectedOutput"]]
    for i, variant in enumerate(TABLES):
        for task in TASKS:
            one = package(task, *variant.values)
            write_package(one, packages / f"{i}-{task}")
            predictor = Predictor(one)
            answers = (predictor.predict(ROWS), predictor.explain(ROWS))
            expected[f"{i}-{task}"] = [{k: v.tolist() for k, v in answer.items()} for answer in answers]
    command = [sys.executable, "-c", _ALONE, str(code), str(packages), json.dumps(ROWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.keys() == expected.keys()
    for name, answers in expected.items():
        for answer, again in zip(answers, found[name], strict=True):
            assert answer.keys() == again.keys()
            for key, values in answer.items():
                texts = isinstance(values[0], str)
                assert again[key] == (values if texts else pytest.approx(values, abs=1e-5)), (name, key)


def test_probabilities_sum_to_one_and_name_their_class() -> None:
    answer = Predictor(package()).predict(ROWS)
    assert list(answer) == ["prediction", "probability_no", "probability_yes", "probability_maybe"]
    np.testing.assert_allclose(sum(answer[name] for name in list(answer)[1:]), 1.0)
    best = np.stack([answer[name] for name in list(answer)[1:]]).argmax(0)
    assert answer["prediction"].tolist() == [("no", "yes", "maybe")[i] for i in best]


def test_the_threshold_decides_and_probabilities_stay(tmp_path: Path) -> None:
    one = package("binary")
    likelier = Predictor(one).predict(ROWS)
    chances = likelier["probability_yes"]
    limit = float(np.sort(chances)[1])  # two rows are at or above it
    write_package(dataclasses.replace(one, threshold=limit), tmp_path)
    decided = Predictor.load(tmp_path).predict(ROWS)
    assert decided["prediction"].tolist() == ["yes" if chance >= limit else "no" for chance in chances]
    assert (decided["prediction"] == "yes").sum() == 2
    np.testing.assert_allclose(decided["probability_yes"], chances, atol=1e-7)
    for extreme, label in ((0.0, "yes"), (1.1, "no")):
        found = Predictor(dataclasses.replace(one, threshold=extreme)).predict(ROWS)
        assert set(found["prediction"]) == {label}


def test_several_targets_have_an_output_each() -> None:
    one = package("multi-output")
    answer = Predictor(one).predict(ROWS)
    assert list(answer) == ["prediction_t", "prediction_u"]
    plain = dataclasses.replace(one, target_means=(0.0, 0.0), target_scales=(1.0, 1.0))
    raw = Predictor(plain).scores(ROWS)
    np.testing.assert_allclose(np.stack(list(answer.values()), 1), raw * [7.0, 0.5] + [100.0, -3.0])
    outputs = signature(one.schema)["outputs"]
    assert outputs == [{"name": name, "type": "double"} for name in answer]


def test_explanations_and_importance_are_by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(package("binary", "mlp", {"layers": 1, "width": 8}))
    explained = predictor.explain(ROWS)
    assert list(explained) == ["a", "b", "c"]
    assert {values.shape for values in explained.values()} == {(3,)}
    importance = predictor.importance(ROWS)
    total = {name: np.abs(values).sum() for name, values in explained.items()}
    whole = sum(total.values())
    assert importance == pytest.approx({name: value / whole for name, value in total.items()})
    monkeypatch.setattr(TablePreprocessor, "slice_rows", 2)  # the same in slices
    assert predictor.importance(ROWS) == pytest.approx(importance)
    np.testing.assert_allclose(predictor.scores(ROWS), Predictor(predictor.package).scores(ROWS), atol=1e-7)
    empty = {name: [] for name in ROWS}
    assert predictor.importance(empty) == pytest.approx(dict.fromkeys("abc", 1 / 3))
    assert all(len(values) == 0 for values in predictor.explain(empty).values())


@every_task
def test_no_rows_are_an_answer_too(task: str) -> None:
    one = Predictor(package(task))
    empty = one.predict({"a": [], "b": [], "c": []})
    assert tuple(empty) == one.schema.outputs
    assert {len(values) for values in empty.values()} == {0}


@pytest.mark.parametrize("version", [1, 2])
def test_older_formats_are_read_and_answer_as_they_did(version: int, tmp_path: Path) -> None:
    """Manifests and answers as the code of that format wrote them; the weights follow a rule."""
    stored = json.loads((STORED / f"format-{version}.json").read_text())
    manifest, tensors, count = stored["manifest"], {}, 0
    for name, sizes in stored["parameters"].items():
        numbers = torch.arange(count, count + math.prod(sizes), dtype=torch.float64)
        values = (numbers * 2.1).cos() * (0.3 if "var" in name else 1.2) + (1.0 if "var" in name else 0.0)
        tensors[name], count = values.reshape(sizes).float(), count + len(numbers)
    tensors |= {name: torch.tensor(0) for name in stored["counters"]}
    (tmp_path / "package.json").write_text(json.dumps(manifest))
    replace_weights(tmp_path, save(tensors))
    assert manifest["formatVersion"] == version
    predictor = Predictor.load(tmp_path)
    answer = predictor.predict(manifest["inputExample"])
    assert answer.keys() == manifest["expectedOutput"].keys()
    for name, values in manifest["expectedOutput"].items():
        told = answer[name].tolist()
        assert told == (values if isinstance(values[0], str) else pytest.approx(values, rel=1e-6)), name
    write_package(predictor.package, tmp_path / "again")  # in this version's format
    assert json.loads((tmp_path / "again/package.json").read_text())["formatVersion"] == FORMAT_VERSION
    again = Predictor.load(tmp_path / "again").scores(manifest["inputExample"])
    np.testing.assert_array_equal(again, predictor.scores(manifest["inputExample"]))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.safetensors").write_bytes(b"x"), "SHA-256 .*; fetch it again"),
        (lambda f: replace_weights(f, b"x"), "model.safetensors cannot be read: .*; fetch it again"),
        (lambda f: replace_weights(f, save({"a": torch.ones(1)})), "do not fit .*; train and log the model"),
        (lambda f: (f / "package.json").write_text("{"), "not JSON: .*; fetch it again"),
        (lambda f: (f / "package.json").write_text("[]"), "cannot be understood .*; fetch it again"),
        (lambda f: (f / "package.json").unlink(), "no model package: .*; give the folder that holds"),
        (lambda f: (f / "model.safetensors").unlink(), "no model package: .*model.safetensors; give"),
        (lambda f: change(f, formatVersion=4), "package format 4; this version reads .*: upgrade"),
        (lambda f: change(f, formatVersion=None), "package format None"),
        (lambda f: change(f, family="oracle"), "'oracle' is unknown here; there are .*mlp, tabnet: use the"),
        (lambda f: change(f, schema=None), "cannot be understood"),
        (lambda f: change(f, config={"depth": 3}), "cannot be understood .*depth"),
    ],
    ids=[
        *("weights", "no-safetensors", "other-weights", "json", "list", "no-manifest", "no-weights"),
        *("newer", "no-version", "family", "schema", "config"),
    ],
)
def test_damage_is_told_with_what_to_do(damage: object, message: str, tmp_path: Path) -> None:
    write_package(package(), tmp_path)
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises(PackageError, match=message):
        Predictor.load(tmp_path)


def change(folder: Path, **fields: object) -> None:
    manifest = json.loads((folder / "package.json").read_text())
    (folder / "package.json").write_text(json.dumps(manifest | fields))


def replace_weights(folder: Path, content: bytes) -> None:
    """Damage that a digest cannot tell."""
    (folder / "model.safetensors").write_bytes(content)
    change(folder, weights={"file": "model.safetensors", "sha256": hashlib.sha256(content).hexdigest()})


def test_digest_covers_both_files(tmp_path: Path) -> None:
    write_package(package(), tmp_path)
    first = package_digest(tmp_path)
    write_package(package(), tmp_path)
    assert package_digest(tmp_path) == first
    change(tmp_path, info={"x": 1})
    assert package_digest(tmp_path) != first


def test_the_package_imports_nothing_else() -> None:
    allowed = {"PIL", "numpy", "tokenizers", "torch", "safetensors", *sys.stdlib_module_names}
    for file in Path(trainyard_model.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert all(name.split(".")[0] in allowed for name in names), (file.name, names)
