"""What this stage needs to know, in its own words, so that it depends on no API version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


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
    """Where the rows are."""

    uri: str
    sha256: str | None = None
    format: Literal["CSV", "Parquet"] | None = None
    csv: CSVSettings = field(default_factory=CSVSettings)


@dataclass(frozen=True, slots=True)
class ColumnSettings:
    """Roles that are not to be inferred."""

    drop: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """Shares of the rows, by hash."""

    validation: float = 0.1
    test: float = 0.1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class DataSettings:
    """All of the data stage."""

    source: SourceSettings
    task: Literal["Classification", "Regression"] | None = None
    target: str | None = None
    targets: tuple[str, ...] = ()
    positive_class: str | None = None
    columns: ColumnSettings = field(default_factory=ColumnSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    train_fraction: float = 1.0
