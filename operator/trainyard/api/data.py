"""Where the rows come from, what the columns mean, and which rows train, validate and test."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.rules import Rule, at_least_one, at_most_one, exactly_one
from trainyard.api.text import ImageData, TextData
from trainyard.api.types import ColumnName, DataURI, Label, LocalName, Seed, Sha256, ShortText


class Format(StrEnum):
    """How a source is encoded."""

    CSV = "CSV"
    PARQUET = "Parquet"
    IDX = "IDX"
    NPZ = "NPZ"
    IMAGE_FOLDER = "ImageFolder"


class Task(StrEnum):
    """What is predicted."""

    CLASSIFICATION = "Classification"
    REGRESSION = "Regression"


class SplitBy(StrEnum):
    """What decides the part of a row."""

    HASH = "Hash"
    ORDER = "Order"
    GROUP = "Group"
    COLUMN = "Column"
    FILES = "Files"


class CSVOptions(ApiModel):
    """How a CSV file is read."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Character between fields."""
    header: bool = True
    """The first line names the columns."""
    column_names: Annotated[tuple[ColumnName, ...], Field(max_length=256)] = ()
    """Names of the columns of a file without a header."""
    encoding: Annotated[str, Field(max_length=32)] = "utf-8"
    """Character encoding."""
    null_values: Annotated[tuple[Annotated[str, Field(max_length=32)], ...], Field(max_length=32)] = ()
    """Texts that mean a missing value, besides the empty one."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.header || (has(self.columnNames) && size(self.columnNames) > 0)",
            "a file without a header needs columnNames",
            lambda c: c.header or bool(c.column_names),
        ),
    )


class DataFile(ApiModel):
    """One file or folder and, if wanted, exactly which bytes."""

    uri: DataURI
    """As source.uri."""
    sha256: Sha256 | None = None
    """Pin of the content."""


class PartFile(DataFile):
    """Rows of one part, read as source is, with its credentials and format."""

    labels: DataFile | None = None
    """Labels in a file of their own (IDX)."""


class Source(ApiModel):
    """A data set: where it is and, if wanted, exactly which bytes."""

    uri: DataURI
    """A path, file://, http(s)://, s3://bucket/key, pvc://claim/path, or sample://name for bundled data."""
    sha256: Sha256 | None = None
    """Pin of the content; training fails with DataError when the bytes differ."""
    credentials_secret: LocalName | None = None
    """Secret of this namespace whose keys become the environment of the pod (AWS_ACCESS_KEY_ID and the
    like)."""
    format: Format | None = None
    """CSV, Parquet, IDX, NPZ or ImageFolder; by the name's ending where silent."""
    csv: CSVOptions | None = None
    """How to read CSV."""
    labels: DataFile | None = None
    """Labels in a file of their own (IDX)."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.csv) || !has(self.format) || self.format == 'CSV'",
            "csv is only for format CSV",
            lambda s: s.csv is None or s.format in (None, Format.CSV),
            ".csv",
        ),
    )


_Columns = Annotated[tuple[ColumnName, ...], Field(max_length=256)]


class Columns(ApiModel):
    """Roles of columns; what is not named is inferred."""

    drop: _Columns = ()
    """Not used at all."""
    numeric: _Columns = ()
    """Read as numbers."""
    categorical: _Columns = ()
    """Read as categories, numbers included."""
    text: Annotated[tuple[ColumnName, ...], Field(max_length=64)] = ()
    """Read as free text."""
    key: Annotated[tuple[ColumnName, ...], Field(max_length=16)] = ()
    """Identify a row: decide its part by hash, never features."""
    weight: ColumnName | None = None
    """Weight of each row in the loss and the metrics; never a feature."""


class Balanced(ApiModel):
    """No options."""


class ClassWeights(ApiModel):
    """How much each class weighs in the loss."""

    balanced: Balanced | None = None
    """Inverse to the class's share of the training rows."""
    fixed: (
        Annotated[
            dict[Label, Annotated[float, Gt(0.0), Le(1_000_000.0)]], Field(min_length=1, max_length=256)
        ]
        | None
    ) = None
    """Weight by label; 1 for labels not named."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("balanced", "fixed"),)


class SplitFiles(ApiModel):
    """Parts that come as files of their own."""

    validation: PartFile | None = None
    """Rows to validate on; else split.validation of the training source by hash."""
    test: PartFile | None = None
    """Rows to test on, once; else split.test of the training source by hash."""

    rules: ClassVar[tuple[Rule, ...]] = (at_least_one("validation", "test"),)


class Split(ApiModel):
    """Which rows train, validate and test. By hash, a row keeps its part as the data grow."""

    validation: Annotated[float, Ge(0.0), Lt(1.0)] = 0.1
    """Share of rows that choose the epoch and the threshold."""
    test: Annotated[float, Ge(0.0), Lt(1.0)] = 0.1
    """Share of rows that are looked at once, at the end."""
    by: SplitBy = SplitBy.HASH
    """Hash (duplicates stay together), Order (the last rows test), Group (no group in two parts), Column (it
    names the part) or Files."""
    column: ColumnName | None = None
    """The column of Group and Column; for Order the column to sort by, else the order of the file."""
    files: SplitFiles | None = None
    """The files of Files."""
    folds: Annotated[int, Ge(2), Le(50)] | None = None
    """Cross-validate with this many folds beside the split."""
    repeats: Annotated[int, Ge(1), Le(50)] = 1
    """Repeat the folds with other seeds."""
    seed: Seed = 0
    """Another seed gives another split."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.validation + self.test < 1.0",
            "validation and test together must leave rows to train on (sum below 1)",
            lambda s: s.validation + s.test < 1.0,
        ),
        Rule(
            "!(self.by in ['Group', 'Column']) || has(self.column)",
            "by: Group and by: Column need column",
            lambda s: s.by not in (SplitBy.GROUP, SplitBy.COLUMN) or s.column is not None,
        ),
        Rule(
            "(self.by == 'Files') == has(self.files)",
            "files goes with by: Files, and by: Files needs files",
            lambda s: (s.by is SplitBy.FILES) == (s.files is not None),
        ),
    )


class Preprocess(ApiModel):
    """A step that a derived image registers under the entry point group trainyard.preprocess."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the entry point."""
    parameters: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=63)], ShortText], Field(max_length=16)
    ] = Field(default_factory=dict)
    """Its parameters; values are text, read as JSON where they are JSON."""


class Data(ApiModel):
    """The data set and what its columns mean. Everything silent is inferred and logged."""

    source: Source | None = None
    """Where the rows are; may be absent only for model.custom."""
    task: Task | None = None
    """Classification or Regression; inferred from the target where silent."""
    target: ColumnName | None = None
    """The column to predict (in NPZ: the array); the last column where silent."""
    targets: Annotated[tuple[ColumnName, ...], Field(min_length=2, max_length=64)] | None = None
    """Several columns to predict at once (regression)."""
    positive_class: Label | None = None
    """The label that counts as positive in binary metrics; the rarer one where silent."""
    class_weights: ClassWeights | None = None
    """Weights of the classes; equal where silent."""
    columns: Columns | None = None
    """Roles of columns; inferred where silent."""
    split: Split = Split()
    """Which rows train, validate and test."""
    train_fraction: Annotated[float, Gt(0.0), Le(1.0)] = 1.0
    """Share of the training rows to use, the same rows each time; for learning curves."""
    text: TextData | None = None
    """How texts become tokens."""
    image: ImageData | None = None
    """How images are sized and varied."""
    preprocess: Annotated[tuple[Preprocess, ...], Field(max_length=4)] = ()
    """Steps of a derived image, applied before ours."""

    rules: ClassVar[tuple[Rule, ...]] = (
        at_most_one("target", "targets"),
        Rule(
            "!has(self.targets) || !has(self.task) || self.task == 'Regression'",
            "targets (several columns) needs task: Regression",
            lambda d: d.targets is None or d.task in (None, Task.REGRESSION),
            ".targets",
        ),
    )
