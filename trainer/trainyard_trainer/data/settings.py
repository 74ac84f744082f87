"""What this stage needs to know, in its own words, so that it depends on no API version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from trainyard_trainer.extensions import Extension

SplitBy = Literal["Hash", "Order", "Group", "Column", "Files"]
Format = Literal["CSV", "Parquet", "IDX", "NPZ", "ImageFolder"]

Inputs = Literal["table", "text", "image"]
Side = Literal["start", "end"]


@dataclass(frozen=True, slots=True)
class CSVSettings:
    """How to read CSV; a delimiter of None is found out from the first line."""

    delimiter: str | None = None
    header: bool = True
    column_names: tuple[str, ...] = ()
    encoding: str = "utf-8"
    null_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Where the rows are; `labels` of images in a file of their own (IDX)."""

    uri: str
    sha256: str | None = None
    format: Format | None = None
    csv: CSVSettings = field(default_factory=CSVSettings)
    labels: SourceSettings | None = None


@dataclass(frozen=True, slots=True)
class ColumnSettings:
    """Roles that are not to be inferred."""

    drop: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    weight: str | None = None


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """Which rows train, validate and test.

    Attributes:
        validation: Share of rows that choose the epoch.
        test: Share of rows that are looked at once.
        seed: Another seed gives another split.
        by: What decides the part of a row.
        column: Names the group, the part, or (by order) the moment of a row.
        validation_file: Rows of a part that come as a file of their own.
        test_file: Likewise.
        folds: Cross-validate with so many folds beside the split.
        repeats: So many times, each with other folds.
    """

    validation: float = 0.1
    test: float = 0.1
    seed: int = 0
    by: SplitBy = "Hash"
    column: str | None = None
    validation_file: SourceSettings | None = None
    test_file: SourceSettings | None = None
    folds: int | None = None
    repeats: int = 1


@dataclass(frozen=True, slots=True)
class VectorSettings:
    """Where pretrained word vectors are, and whether training may change them."""

    source: SourceSettings
    trainable: bool = False


@dataclass(frozen=True, slots=True)
class TextSettings:
    """How texts become tokens; a clean-up of None is chosen by coverage.

    Attributes:
        tokenizer: Words, or pieces of words.
        vocabulary_size: Tokens at most, without the two reserved ones.
        max_length: Tokens of a text that are read.
        padding: Where short texts are filled up.
        truncation: Where long texts are cut.
        stop_words: Words to leave out.
        lower: Lower-case.
        contractions: don't becomes do not.
        strip_apostrophes: Remove an apostrophe and what follows.
        drop_unknown_symbols: Leave out symbols that are not in the vocabulary.
        vectors: Pretrained vectors of the words.
        width: Numbers of a token in the model, where that is known.
    """

    tokenizer: Literal["Word", "BPE"] = "Word"
    vocabulary_size: int = 20_000
    max_length: int = 400
    padding: Side = "end"
    truncation: Side = "end"
    stop_words: tuple[str, ...] = ()
    lower: bool | None = None
    contractions: bool | None = None
    strip_apostrophes: bool | None = None
    drop_unknown_symbols: bool | None = None
    vectors: VectorSettings | None = None
    width: int | None = None


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """How images are read: brought to a size (height, width), and to so many channels; else as stored."""

    size: tuple[int, int] | None = None
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class DataSettings:
    """All of the data stage. `inputs` is what the model reads; None: what the data hold.

    `steps` are those of other distributions, which come before our own preprocessing.
    """

    source: SourceSettings
    task: Literal["Classification", "Regression"] | None = None
    target: str | None = None
    targets: tuple[str, ...] = ()
    positive_class: str | None = None
    columns: ColumnSettings = field(default_factory=ColumnSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    train_fraction: float = 1.0
    inputs: Inputs | None = "table"
    text: TextSettings = field(default_factory=TextSettings)
    image: ImageSettings = field(default_factory=ImageSettings)
    steps: tuple[Extension, ...] = ()
