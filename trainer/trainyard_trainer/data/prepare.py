"""The data stage: source -> table -> roles -> split -> encoded arrays, with the data's identity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_model.embedding import MISSING
from trainyard_model.preprocess import Preprocessor
from trainyard_model.schema import Schema
from trainyard_trainer.data import memory, samples
from trainyard_trainer.data.identity import data_digest, holdout_digest, row_hashes
from trainyard_trainer.data.read import is_parquet, read_parquet
from trainyard_trainer.data.read_csv import read_csv
from trainyard_trainer.data.roles import check_names, infer
from trainyard_trainer.data.settings import DataSettings
from trainyard_trainer.data.source import fetch
from trainyard_trainer.data.split import Parts, Rows, fraction, split
from trainyard_trainer.data.table import Numbers, Table, Texts
from trainyard_trainer.data.target import Target, read_target
from trainyard_trainer.errors import DataError, InvalidSpec


@dataclass(frozen=True, slots=True)
class Part:
    """Encoded rows, as a network takes them.

    Attributes:
        inputs: Numbers float32 (rows, numeric columns) and codes int64 (rows, categorical columns).
        target: Classes int64 (rows,), or standardised values float32 (rows, targets).
        weight: Weight of each row float32 (rows,), or None where all weigh the same.
    """

    inputs: tuple[NDArray[Any], ...]
    target: NDArray[Any]
    weight: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that the later stages take from the data."""

    preprocessor: Preprocessor
    train: Part
    validation: Part
    table: Table
    target: Target
    rows: Parts
    target_means: tuple[float, ...]
    target_scales: tuple[float, ...]
    data_digest: str
    holdout_digest: str
    notices: tuple[str, ...]

    @property
    def schema(self) -> Schema:
        """Inputs and outputs of the model."""
        return self.preprocessor.schema

    def raw(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """Feature columns of some rows as a user would pass them."""
        return self.table.take(rows).cells([c.name for c in self.schema.columns])


def load(
    settings: DataSettings, folder: Path, say: Callable[[str], None] = lambda text: None
) -> tuple[Table, list[str]]:
    """Read the source into memory, if it will fit; what it needs is said before it is read."""
    source = settings.source
    if source.uri.startswith("sample://"):
        if source.sha256 is not None:
            raise InvalidSpec("data.source.sha256 does not apply to sample://", "remove data.source.sha256")
        return samples.parse(source.uri).make()
    path = fetch(source, folder)
    try:
        parquet = is_parquet(path, source.format)
        say(memory.check(memory.need_bytes(path, parquet), memory.limit_bytes(), source.uri))
        return read_parquet(path) if parquet else read_csv(path, source.csv)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the file's permissions") from error


def prepare(table: Table, settings: DataSettings, notices: Sequence[str] = ()) -> Prepared:
    """Roles, split and encoding of a loaded table.

    Raises:
        DataError: The data cannot be trained on; the message names column or row.
    """
    check_names(table, settings)
    names = settings.targets or (settings.target or list(table.columns)[-1],)
    digest = data_digest(table)
    table, said = _with_target(table, names)
    target = read_target({name: table.columns[name] for name in names}, settings)
    typed, roles = infer(table, names, settings)
    hashes = row_hashes(table, roles.identity)
    labels = target.values if target.task == "Classification" else np.zeros(table.rows, dtype=np.int64)
    parts = split(hashes, labels.astype(np.int64), settings.split)
    kept = fraction(hashes, parts.train, settings.train_fraction, settings.split.seed)
    parts = Parts(kept, parts.validation, parts.test)
    _check_parts(target, parts, settings)
    schema = Schema(target.task, names, roles.features, target.classes)
    preprocessor = _fit(typed, schema, parts.train)
    means, scales = _target_scales(target, parts.train)
    return Prepared(
        preprocessor,
        _encode(typed, preprocessor, target, parts.train, means, scales),
        _encode(typed, preprocessor, target, parts.validation, means, scales),
        table,
        target,
        parts,
        means,
        scales,
        digest,
        holdout_digest(table, parts.test),
        (*notices, *said, *roles.notices),
    )


def _with_target(table: Table, names: Sequence[str]) -> tuple[Table, list[str]]:
    """Only rows that have a target can teach or judge."""
    said = []
    for name in names:
        missing = table.columns[name].missing
        if missing.all():
            raise DataError(f"target '{name}' has no value in any row", "check data.target and the data")
        if missing.any():
            said.append(f"{int(missing.sum())} rows have no '{name}' and are left out")
            table = table.take(np.flatnonzero(~missing))
    return table, said


def _check_parts(target: Target, parts: Parts, settings: DataSettings) -> None:
    asked = {"train": 1.0, "validation": settings.split.validation, "test": settings.split.test}
    for part, share in asked.items():
        count = len(getattr(parts, part))
        if share > 0.0 and count < (2 if part == "train" else 1):
            raise DataError(
                f"the {part} part has {count} rows of {len(target.values)}",
                "use more rows or larger shares in data.split",
            )
    if target.task == "Classification":
        counts = np.bincount(target.values[parts.train].astype(np.int64), minlength=len(target.classes))
        if (counts == 0).any():
            label = target.classes[int(counts.argmin())]
            raise DataError(
                f"class {label!r} of target '{target.names[0]}' has no row in the training part",
                "remove the class, add rows of it, or use smaller shares in data.split",
            )


def _fit(table: Table, schema: Schema, rows: Rows) -> Preprocessor:
    """Means, scales and vocabularies from the training rows."""
    means, scales, vocabularies = [], [], []
    for column in schema.columns:
        values = table.columns[column.name]
        if isinstance(values, Numbers):
            present = values.values[rows]
            present = present[~np.isnan(present)]
            spread = float(present.std()) if len(present) else 0.0
            means.append(float(present.mean()) if len(present) else 0.0)
            scales.append(spread if spread > 1e-12 * max(1.0, abs(means[-1])) else 1.0)
        else:
            vocabularies.append(tuple(sorted(values.words[code] for code in values.take(rows).used())))
    return Preprocessor(schema, tuple(means), tuple(scales), tuple(vocabularies))


def _target_scales(target: Target, rows: Rows) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if target.task == "Classification":
        return (), ()
    values = target.values[rows]
    return tuple(values.mean(0).tolist()), tuple(scale or 1.0 for scale in values.std(0).tolist())


def _encode(
    table: Table,
    preprocessor: Preprocessor,
    target: Target,
    rows: Rows,
    means: Sequence[float],
    scales: Sequence[float],
) -> Part:
    """What `Preprocessor.encode` would give, by column instead of by cell."""
    schema = preprocessor.schema
    numeric = np.empty((len(rows), len(schema.numeric)), dtype=np.float32)
    codes = np.empty((len(rows), len(schema.categorical)), dtype=np.int64)
    for i, column in enumerate(schema.numeric):
        values = table.columns[column.name]
        assert isinstance(values, Numbers)  # noqa: S101 - `infer` made it so
        numeric[:, i] = preprocessor.numbers(i, values.values[rows])
    for i, column in enumerate(schema.categorical):
        texts = table.columns[column.name]
        assert isinstance(texts, Texts)  # noqa: S101
        by_word = np.append(preprocessor.codes(i, list(texts.words)), MISSING)
        codes[:, i] = by_word[texts.codes[rows]]
    if target.task == "Classification":
        return Part((numeric, codes), target.values[rows].astype(np.int64))
    return Part((numeric, codes), ((target.values[rows] - means) / scales).astype(np.float32))
