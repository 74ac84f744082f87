"""How texts become tokens and images become tensors. Apart from data.py because most jobs need neither."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.types import DataURI, LocalName, Rate, Sha256


class Side(StrEnum):
    """An end of a text."""

    START = "Start"
    END = "End"


class Tokenizer(StrEnum):
    """How a text is cut."""

    WORD = "Word"
    BPE = "BPE"


class Normalise(ApiModel):
    """Clean-up before tokenisation; what is silent is chosen by coverage and stored in the package."""

    lower: bool | None = None
    """Lower-case."""
    contractions: bool | None = None
    """Expand contractions: don't -> do not."""
    strip_apostrophes: bool | None = None
    """Remove apostrophes and what follows in a word."""
    drop_unknown_symbols: bool | None = None
    """Remove symbols that are in no vector."""


class Vectors(ApiModel):
    """Pretrained word vectors in GloVe's text format."""

    uri: DataURI
    """Where they are, as source.uri."""
    sha256: Sha256 | None = None
    """Pin of the content."""
    credentials_secret: LocalName | None = None
    """Secret of this namespace whose keys become the environment of the pod."""
    trainable: bool = False
    """Tune them while training; frozen otherwise."""


class TextData(ApiModel):
    """How texts become tokens."""

    tokenizer: Tokenizer = Tokenizer.WORD
    """Word or BPE."""
    vocabulary_size: Annotated[int, Ge(2), Le(1_000_000)] = 20_000
    """Most frequent tokens of the training rows to keep; the rest share one."""
    max_length: Annotated[int, Ge(1), Le(16_384)] = 400
    """Tokens of a text that are read."""
    padding: Side = Side.END
    """Where short texts are filled up."""
    truncation: Side = Side.END
    """Where long texts are cut."""
    stop_words: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=512)] = ()
    """Words to leave out."""
    normalise: Normalise | None = None
    """Clean-up before tokenisation."""
    vectors: Vectors | None = None
    """Pretrained vectors to start from."""


class Augmentation(ApiModel):
    """Random variations of training images; validation and test see none."""

    shift_pixels: Annotated[int, Ge(0), Le(64)] = 0
    """Shift by up to this many pixels in each direction."""
    rotate_degrees: Annotated[float, Ge(0.0), Le(180.0)] = 0.0
    """Rotate by up to this angle."""
    horizontal_flip: bool = False
    """Mirror half of the images."""
    erase: Rate = 0.0
    """Probability of blanking a random rectangle."""


class ImageSize(ApiModel):
    """A size in pixels."""

    height: Annotated[int, Ge(1), Le(4096)]
    """Rows of pixels."""
    width: Annotated[int, Ge(1), Le(4096)]
    """Columns of pixels."""


class ImageData(ApiModel):
    """How images are read."""

    resize: ImageSize | None = None
    """Bring all images to this size; needed when sizes differ."""
    channels: Annotated[int, Ge(1), Le(4)] | None = None
    """1 grey, 3 colour, 4 colour with alpha; as stored where silent."""
    augmentation: Augmentation | None = None
    """Random variations while training."""
