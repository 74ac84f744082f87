"""Texts and images in both dialects: the answers of the package, and words for what cannot be answered."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainer.kinds import (
    HEIGHT,
    TEXTS,
    WIDTH,
    bare,
    image_preprocessor,
    images,
    in_base64,
    package,
    rows,
    written,
)
from trainyard_model import Predictor
from trainyard_trainer.serving import describe
from trainyard_trainer.serving import model as models
from trainyard_trainer.serving.app import create_app, infer_tensors, predict_rows
from trainyard_trainer.serving.refusal import Refused
from trainyard_trainer.serving.service import Service
from trainyard_trainer.serving.settings import Settings

PICTURES = images()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], models.Model]:
    """Loaded as a server does, after the warm-up with the recorded answers."""
    made: dict[str, models.Model] = {}

    def load(kind: str) -> models.Model:
        if kind not in made:
            one = package(kind) if kind in ("text", "image") else bare(image_preprocessor(3))
            columns = rows(kind) if kind in ("text", "image") else {"photo": images(2, 3)}
            folder = written(one, columns, tmp_path_factory.mktemp(kind))
            made[kind] = models.load(Settings(folder, "m", "7", anonymous=True))
        return made[kind]

    return load


Served = Callable[[str], models.Model]


def asked(model: models.Model, body: Any) -> list[dict[str, Any]]:
    found = json.loads(predict_rows(model, json.dumps(body).encode(), 100)[0])["rows"]
    assert isinstance(found, list)
    return found


def inferred(model: models.Model, tensor: dict[str, Any]) -> dict[str, list[Any]]:
    content, _ = infer_tensors(model, json.dumps({"inputs": [tensor]}).encode(), 100)
    return {one["name"]: one["data"] for one in json.loads(content)["outputs"]}


def test_texts_are_answered_as_by_the_package(served: Served) -> None:
    model = served("text")
    expected = {k: v.tolist() for k, v in Predictor(package("text")).predict({"review": TEXTS}).items()}
    found = asked(model, [{"review": text} for text in TEXTS])
    assert [row["prediction"] for row in found] == expected["prediction"]
    chances = [row["probabilities"]["yes"] for row in found]
    assert chances == pytest.approx(expected["probability_yes"], abs=1e-6)
    tensor = {"name": "review", "shape": [len(TEXTS)], "datatype": "BYTES", "data": TEXTS}
    assert inferred(model, tensor)["probability_yes"] == pytest.approx(chances, abs=1e-6)


@pytest.mark.parametrize(
    "tensor",
    [
        {"shape": [5, HEIGHT, WIDTH], "datatype": "UINT8", "data": PICTURES.tolist()},
        {"shape": [5, HEIGHT, WIDTH], "datatype": "UINT8", "data": PICTURES.ravel().tolist()},
        {"shape": [5, HEIGHT, WIDTH, 1], "datatype": "UINT8", "data": PICTURES.ravel().tolist()},
        {"shape": [5], "datatype": "BYTES", "data": [in_base64(one) for one in PICTURES]},
        {"shape": [5, 1], "datatype": "BYTES", "data": [[in_base64(one)] for one in PICTURES]},
    ],
    ids=["nested", "flat", "channels", "files", "nested-files"],
)
def test_images_are_answered_as_by_the_package(served: Served, tensor: dict[str, Any]) -> None:
    model = served("image")
    expected = Predictor(package("image")).predict({"photo": PICTURES})
    found = inferred(model, {"name": "photo", **tensor})
    assert found["prediction"] == expected["prediction"].tolist()
    assert found["probability_2"] == pytest.approx(expected["probability_2"].tolist(), abs=1e-6)


def test_images_in_rows_are_files_or_pixels(served: Served) -> None:
    model = served("image")
    expected = Predictor(package("image")).scores({"photo": PICTURES})
    for cells in ([in_base64(one) for one in PICTURES], PICTURES.tolist()):
        found = asked(model, [{"photo": cell} for cell in cells])
        assert [row["probabilities"]["1"] for row in found] == pytest.approx(
            expected[:, 1].tolist(), abs=1e-6
        )


@pytest.mark.parametrize(
    ("kind", "cell", "expected", "got"),
    [
        ("text", 7, "string or null", "number"),
        ("text", ["film"], "string or null", "array"),
        ("text", "x" * 1_000_001, "at most 1000000 characters", "1000001"),
        ("image", None, "a PNG or JPEG file in base64, or rows of pixels", "one that is not there"),
        ("image", 7, "a PNG or JPEG file in base64, or rows of pixels", "number"),
        ("image", "secret!", "a PNG or JPEG file in base64", "no base64"),
        ("image", in_base64(PICTURES[0])[:80], "a PNG or JPEG file in base64", "cannot be read"),
        ("image", in_base64(images(1, 3)[0][:5]), f"{WIDTH} x {HEIGHT} pixels", f"{WIDTH} x 5"),
        ("image", [[1, 2], [3]], "a PNG or JPEG file in base64", "different lengths"),
        ("image", [[-1] * WIDTH] * HEIGHT, "a PNG or JPEG file in base64", "values from -1 to -1"),
    ],
)
def test_bad_cells_are_told_by_row_and_column(
    served: Served, kind: str, cell: Any, expected: str, got: str
) -> None:
    (name, cells), *_ = served(kind).recorded.example.items()
    with pytest.raises(Refused) as refused:
        asked(served(kind), [{name: cells[0]}, {name: cell}])
    assert refused.value.status == 422
    (detail,) = refused.value.fields["details"]
    assert (detail["row"], detail["column"]) == (1, name)
    assert expected in detail["expected"]
    assert got in detail["got"]
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"shape": [5, HEIGHT]}, "shape [n] or [n, 1], [n, h, w] or [n, h, w, c]"),
        ({"shape": [5, HEIGHT, WIDTH + 1]}, f"{5 * HEIGHT * (WIDTH + 1)} numbers"),
        ({"data": ["a"] * PICTURES.size}, f"{PICTURES.size} numbers"),
        ({"datatype": "TEXT"}, "datatype UINT8"),
    ],
)
def test_tensors_of_images_that_do_not_fit(served: Served, change: dict[str, Any], expected: str) -> None:
    good = {"name": "photo", "shape": [5, HEIGHT, WIDTH], "datatype": "UINT8"}
    with pytest.raises(Refused) as refused:
        inferred(served("image"), {**good, "data": PICTURES.ravel().tolist(), **change})
    assert [detail["expected"] for detail in refused.value.fields["details"]] == [
        expected + (", as the shape says" if "numbers" in expected else "")
    ]


def test_the_server_says_what_goes_in_and_how_to_ask(served: Served) -> None:
    assert describe.model(served("text"))["inputs"] == [
        {"name": "review", "datatype": "BYTES", "shape": [-1]}
    ]
    (told,) = describe.model(served("image"))["inputs"]
    assert (told["datatype"], told["shape"]) == ("UINT8", [-1, HEIGHT, WIDTH])
    assert "base64" in told["parameters"]["or"]
    (told,) = describe.model(served("colour"))["inputs"]
    assert told["shape"] == [-1, HEIGHT, WIDTH, 3]
    for kind in ("text", "image", "colour"):
        model = served(kind)
        command = shlex.split(describe.curl(model, "http://x"))
        assert (
            asked(model, json.loads(command[-1]))[0]["prediction"] == model.recorded.expected["prediction"][0]
        )
        infer_tensors(model, json.dumps(describe.example_tensors(model)).encode(), 10)
        service = Service(Settings(Path("/none"), "m", "7", anonymous=True))
        app: Any = create_app(service)
        service.ready(model)
        paths = app.app.openapi()["paths"]
        body = paths["/predict"]["post"]["requestBody"]["content"]["application/json"]
        assert asked(model, body["example"])
        assert set(body["schema"]["items"]["properties"]) == set(model.recorded.example)


def test_a_missing_image_is_one_problem(served: Served) -> None:
    with pytest.raises(Refused) as refused:
        asked(served("image"), [{"picture": 7}])
    told = [(one["column"], one["got"]) for one in refused.value.fields["details"]]
    assert told == [("photo", "nothing"), ("picture", "number")]


def test_a_row_too_long_for_a_command_line_is_a_file(served: Served) -> None:
    model = served("text")
    recorded = dataclasses.replace(model.recorded, example={"review": ["film " * 30_000]})
    command = describe.curl(dataclasses.replace(model, recorded=recorded), "http://x")
    assert "-d @rows.json" in command
    assert len(command) < 300
