"""Packages of texts and of images: the same answers wherever they are read, and words for what is wrong."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.unit.trainer import test_package as tables
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
    text_preprocessor,
)
from tests.unit.trainer.test_package import change
from trainyard_model import (
    ModelInputError,
    PackageError,
    Predictor,
    Preprocessor,
    package_digest,
    read_package,
    write_package,
)
from trainyard_trainer.package.log import requirements

every_kind = pytest.mark.parametrize("kind", ["text", "image"])


@every_kind
def test_round_trip_gives_the_same_answers(kind: str, tmp_path: Path) -> None:
    before, columns = package(kind), rows(kind)
    write_package(before, tmp_path)
    after = read_package(tmp_path)
    assert (after.preprocessor, after.config) == (before.preprocessor, before.config)
    expected, found = Predictor(before).predict(columns), Predictor.load(tmp_path).predict(columns)
    for name, values in expected.items():
        assert found[name].tolist() == pytest.approx(values.tolist(), abs=1e-6)
    example = after.preprocessor.example(columns)  # as JSON has them
    again = Predictor(after).scores(json.loads(json.dumps(example)))
    np.testing.assert_allclose(again, Predictor(after).scores(columns), atol=1e-6)
    spread = Predictor(after).scores(columns).std(0)
    assert (spread > 1e-3).all(), "rows must differ, or this proves nothing"


@every_kind
def test_slices_change_nothing_and_errors_name_the_row(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, columns = package(kind), rows(kind)
    whole = Predictor(one)
    monkeypatch.setattr(type(one.preprocessor), "slice_rows", 2)
    parts = Predictor(one)
    np.testing.assert_allclose(parts.scores(columns), whole.scores(columns), atol=1e-6)
    assert parts.importance(columns) == pytest.approx(whole.importance(columns), abs=1e-6)
    (name, expected), (_, found) = *whole.explain(columns).items(), *parts.explain(columns).items()
    if kind == "image":
        np.testing.assert_allclose(found, expected, atol=1e-6)
    else:
        for one_row, other in zip(found, expected, strict=True):
            assert [w["text"] for w in one_row] == [w["text"] for w in other]
            assert [w["weight"] for w in one_row] == pytest.approx([w["weight"] for w in other], abs=1e-6)
    bad: Any = [*list(columns[name])[:3], {"no": "cell"}]
    with pytest.raises(ModelInputError, match=f"column '{name}', row 3: expected ") as error:
        parts.scores({name: bad})
    assert (error.value.column, error.value.row) == (name, 3)


@every_kind
def test_threads_that_share_a_predictor_do_not_disturb_each_other(kind: str) -> None:
    one, columns = Predictor(package(kind), threads=2), rows(kind)
    (name, cells), *_ = columns.items()
    asked = [{name: [cell] * (1 + i % 3)} for i, cell in enumerate([*cells] * 6)]
    expected = [one.scores(columns) for columns in asked]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one.scores, asked))
    for answer, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(answer, right, atol=1e-6)


@every_kind
def test_data_frames_are_the_same_rows(kind: str) -> None:
    one, columns = Predictor(package(kind)), rows(kind)
    (name, cells), *_ = columns.items()
    frame = pd.DataFrame({name: list(cells), "other": 1}, index=range(10, 10 + len(cells)))
    np.testing.assert_allclose(one.scores(frame), one.scores(columns), atol=1e-7)
    assert len(one.scores(frame[:0])) == 0
    assert len(one.explain({name: []})[name]) == 0
    assert one.importance({name: []}) == {}


def test_an_explanation_names_the_characters_of_the_cell() -> None:
    one = Predictor(bare(text_preprocessor()))
    explained = one.explain({"review": TEXTS})["review"]
    assert len(explained) == len(TEXTS)
    for cell, found in zip(TEXTS, explained, strict=True):
        for word in found:
            assert (cell or "")[word["start"] : word["end"]] == word["text"] != ""
    assert [word["text"] for word in explained[0]] == [
        *("I", "DON'T", "like", "the", "film", ".", "The", "story", ":", "bad", "!")
    ]
    assert explained[1] == explained[2] == []
    inputs = torch.from_numpy(one.package.preprocessor.encode({"review": TEXTS})[0])
    from trainyard_model.package import build_network

    raw = build_network(one.package).eval().explain(inputs).sum(1)  # fills nothing in, leaves nothing out
    told = [sum(word["weight"] for word in row) for row in explained]
    for row in (0, 3, 4):
        assert told[row] == pytest.approx(float(raw[row]), abs=1e-5)
    importance = one.importance({"review": TEXTS})
    assert sum(importance.values()) == pytest.approx(1.0)
    assert {"film", "[UNK]"} <= set(importance)
    assert list(importance.values()) == sorted(importance.values(), reverse=True)


@pytest.mark.parametrize("padding", ["start", "end"])
@pytest.mark.parametrize(("truncation", "first"), [("start", "text"), ("end", "good")])
def test_padding_and_cutting_are_told_apart(padding: str, truncation: str, first: str) -> None:
    encoder = text_preprocessor(padding=padding, truncation=truncation, max_length=4)
    (tokens,) = encoder.encode({"review": ["good", "good film good film text good film good"]})
    assert tokens.shape == (2, 4)
    assert (tokens[0] != 0).tolist() == ([False] * 3 + [True] if padding == "start" else [True] + [False] * 3)
    found = encoder.explained({"review": ["good", "good film good film text good film good"]}, [tokens * 1.0])
    short, long = found["review"]
    assert [(word["text"], word["weight"]) for word in short] == [("good", 3.0)]
    assert next(word["text"] for word in long) == first


def test_odd_texts_are_answered() -> None:
    one = Predictor(bare(text_preprocessor()))
    odd: list[Any] = [7, 2.5, float("nan"), pd.NA, "\ud800 film", "x" * 100_000, "’", np.float64(3)]
    assert np.isfinite(one.scores({"review": odd})).all()
    for bad in (["film"], {}, b"film", True):
        with pytest.raises(ModelInputError, match="column 'review', row 0: expected text or nothing, got"):
            one.scores({"review": [bad]})
    with pytest.raises(ModelInputError, match="missing column 'review'"):
        one.scores({"text": ["film"]})


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_of_every_form_are_the_same(channels: int) -> None:
    encoder = image_preprocessor(channels)
    stored = images(3, channels)
    (expected,) = encoder.encode({"photo": stored})
    assert (expected.shape, expected.dtype) == ((3, channels, HEIGHT, WIDTH), np.uint8)
    files = [in_base64(picture) for picture in stored]
    ragged = np.empty(3, dtype=object)
    for i, picture in enumerate(stored):
        ragged[i] = np.array([list(line) for line in picture.tolist()], dtype=object)
    for cells in (
        list(stored),
        stored.tolist(),
        stored.astype(np.int64),
        stored / 255.0,
        files,
        [f"data:image/png;base64,{file}" for file in files],
        ["\n".join(file[i : i + 76] for i in range(0, len(file), 76)) for file in files],
        [base64.b64decode(file) for file in files],
        ragged,
        encoder.example({"photo": stored})["photo"],
    ):
        (found,) = encoder.encode({"photo": cells})
        np.testing.assert_array_equal(found, expected)


def test_channels_are_converted_and_sizes_only_where_that_was_asked() -> None:
    grey, colour = images(2), images(2, 3)
    (found,) = image_preprocessor(3).encode({"photo": grey})
    assert (found == grey[:, None]).all()
    (found,) = image_preprocessor(1).encode({"photo": colour})
    assert np.abs(found[:, 0] - colour @ [0.299, 0.587, 0.114]).max() <= 1.0
    large = np.full((2, HEIGHT * 2, WIDTH * 3), 77, dtype=np.uint8)
    expected = f"row 0: expected {WIDTH} x {HEIGHT} pixels .width x height., got {WIDTH * 3} x {HEIGHT * 2}"
    with pytest.raises(ModelInputError, match=expected):
        image_preprocessor().encode({"photo": large})
    (found,) = image_preprocessor(resize=True).encode({"photo": large})
    assert found.shape == (2, 1, HEIGHT, WIDTH)
    assert (found == 77).all()


def test_a_file_that_would_fill_the_memory_is_not_decoded() -> None:
    bomb = in_base64(np.zeros((3000, 3000), dtype=np.uint8))
    assert len(bomb) < 100_000
    with pytest.raises(ModelInputError, match=r"row 0: .* claims to have more than 4,194,304 pixels"):
        image_preprocessor().encode({"photo": [bomb]})


@pytest.mark.parametrize(
    ("cell", "got"),
    [
        ("no base64!", "no base64"),
        (base64.b64encode(b"GIF89a" + bytes(50)).decode(), "no image format that is known"),
        (in_base64(images(1)[0])[:80], "cannot be read as an image"),
        (None, "is not there"),
        (7, "an array of one value"),
        ([[1, 2], [3]], "rows of different lengths"),
        ([[300] * WIDTH] * HEIGHT, "values from 300 to 300"),
        ([["a"] * WIDTH] * HEIGHT, "holds no numbers"),
        (np.zeros((HEIGHT, WIDTH, 2), dtype=np.uint8), f"an array of {HEIGHT} x {WIDTH} x 2"),
    ],
)
def test_what_is_no_image_is_told(cell: Any, got: str) -> None:
    with pytest.raises(ModelInputError, match=f"column 'photo', row 1: expected a PNG or JPEG .*{got}"):
        image_preprocessor().encode({"photo": [images(1)[0], cell]})


def damaged_tokenizer(folder: Path) -> None:
    """One that a digest cannot tell."""
    content = b'{"version": "1.0"}'
    (folder / "tokenizer.json").write_bytes(content)
    change(folder, files={"tokenizer.json": hashlib.sha256(content).hexdigest()})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "tokenizer.json").unlink(), "no model package: .*tokenizer.json; give the folder"),
        (lambda f: (f / "tokenizer.json").write_bytes(b"{}"), "tokenizer.json is damaged: its SHA-256"),
        (damaged_tokenizer, "tokenizer.json cannot be read: .*; fetch it again"),
        (lambda f: change(f, files={}), "tokenizer.json is not among the package's files"),
        (lambda f: change(f, files={"../secret": "0"}), "names a file '../secret' that no package has"),
        (lambda f: change(f, files={"package.json": "0"}), "names a file 'package.json' that no"),
        (lambda f: change(f, files=7), "cannot be understood"),
        (lambda f: change(f, preprocessor={"kind": "sound"}), "'sound' is unknown here; there are table, te"),
        (lambda f: change(f, preprocessor={"kind": "image"}), "family lstm does not take the kind image"),
        (lambda f: change(f, preprocessor={}), "cannot be understood .*kind"),
        (lambda f: change(f, preprocessor={"kind": "text"}), "cannot be understood"),
    ],
    ids=[
        "absent",
        "changed",
        "unreadable",
        "unnamed",
        "path",
        "own",
        "list",
        "kind",
        "other",
        "none",
        "bare",
    ],
)
def test_malformed_packages_are_told(damage: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    write_package(package("text"), tmp_path)
    damage(tmp_path)
    with pytest.raises(PackageError, match=message):
        Predictor.load(tmp_path)


def test_the_digest_covers_every_file(tmp_path: Path) -> None:
    write_package(package("text"), tmp_path)
    first = package_digest(tmp_path)
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_bytes(tokenizer.read_bytes() + b" ")
    assert package_digest(tmp_path) != first
    tokenizer.unlink()
    with pytest.raises(PackageError, match=r"tokenizer\.json"):
        package_digest(tmp_path)


@pytest.mark.parametrize(("kind", "needed"), [("text", {"tokenizers"}), ("image", {"pillow"})])
def test_requirements_name_what_the_kind_needs(kind: str, needed: set[str]) -> None:
    table, found = (
        {line.partition("==")[0] for line in requirements(one.preprocessor)}
        for one in (tables.package(), package(kind))
    )
    assert found - table == needed


@every_kind
def test_the_example_is_small_and_answers_like_the_rows(kind: str) -> None:
    one = package(kind)
    encoder: Preprocessor = one.preprocessor
    columns = rows(kind)
    example = encoder.example(columns)
    assert all(isinstance(cell, str) for cells in example.values() for cell in cells)
    assert max(len(cell) for cells in example.values() for cell in cells) <= 2_000
    np.testing.assert_allclose(Predictor(one).scores(example), Predictor(one).scores(columns), atol=1e-6)
    assert encoder.example_rows >= 2
    assert dataclasses.replace(one) == one
