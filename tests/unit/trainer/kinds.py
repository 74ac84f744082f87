"""Small packages of texts and of images, and rows for them: networks with fresh weights, nothing trained."""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models

from trainyard_model import (
    FAMILIES,
    Column,
    ImagePreprocessor,
    Package,
    Predictor,
    Preprocessor,
    Schema,
    TextPreprocessor,
    write_package,
)
from trainyard_model.pictures import to_png
from trainyard_model.words import Normalise

WORDS = ("film", "good", "not", "do", "the", "bad", ".", "story", "like")
TEXTS = [
    "I DON'T like the film. The story: bad!",
    "",
    None,
    "good",
    "a good film, a good story and a very long text " * 3,
    "émigré ’s film",
]
HEIGHT, WIDTH = 12, 10
FAMILY = {"text": "lstm", "image": "convnet"}
SETTINGS: dict[str, dict[str, Any]] = {
    "text": {"embedding_size": 6, "hidden_size": 5, "bidirectional": True},
    "image": {"conv": ({"channels": 4}, {"channels": 6}), "dense": ({"units": 8},)},
}


def text_preprocessor(**changes: Any) -> TextPreprocessor:
    ids = {"[PAD]": 0, "[UNK]": 1, **{word: i for i, word in enumerate(WORDS, start=2)}}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]")).to_str().encode()
    schema = Schema("Classification", ("y",), (Column("review", "text"),), ("no", "yes"))
    normalise = Normalise(lower=True, contractions=True, stop_words=frozenset({"a", "and"}))
    return TextPreprocessor(schema, tokenizer, **{"max_length": 12, "normalise": normalise, **changes})


def image_preprocessor(channels: int = 1, resize: bool = False) -> ImagePreprocessor:
    schema = Schema("Classification", ("y",), (Column("photo", "image"),), (0, 1, 2))
    sizes = (HEIGHT, WIDTH, channels, resize)
    return ImagePreprocessor(schema, *sizes, (0.4,) * channels, (0.3,) * channels)


def images(rows: int = 5, channels: int = 1, seed: int = 0) -> NDArray[np.uint8]:
    """(rows, height, width[, channels])."""
    found = np.random.default_rng(seed).integers(0, 256, (rows, HEIGHT, WIDTH, channels), dtype=np.uint8)
    return found[..., 0] if channels == 1 else found


def in_base64(picture: NDArray[np.uint8]) -> str:
    return base64.b64encode(to_png(picture if picture.ndim == 3 else picture[..., None])).decode()


def bare(preprocessor: Preprocessor) -> Package:
    """A network with weights drawn anew; large enough that rows differ."""
    family, settings = FAMILIES[FAMILY[preprocessor.kind]], SETTINGS[preprocessor.kind]
    torch.manual_seed(0)
    network = family.build(family.config(family.settings(**settings), preprocessor.shape()))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return Package(family.name, network.config, preprocessor, network.state_dict())


def package(kind: str) -> Package:
    return bare(text_preprocessor() if kind == "text" else image_preprocessor())


def rows(kind: str) -> dict[str, Any]:
    """Raw rows as Python has them."""
    return {"review": TEXTS} if kind == "text" else {"photo": images()}


def written(one: Package, columns: dict[str, Any], folder: Path) -> Path:
    """With these rows as the recorded example."""
    example = one.preprocessor.example(columns)
    answer = {name: values.tolist() for name, values in Predictor(one).predict(example).items()}
    write_package(dataclasses.replace(one, input_example=example, expected_output=answer), folder)
    return folder
