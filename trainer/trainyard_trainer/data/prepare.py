"""The data stage: table -> roles -> split -> encoded arrays, with the data's identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_model.preprocess import Preprocessor
from trainyard_model.schema import TEXT, Schema
from trainyard_trainer.data.encode import Encoder, Fitted, Part
from trainyard_trainer.data.fit_image import fit_images
from trainyard_trainer.data.fit_table import fit_table
from trainyard_trainer.data.fit_text import FittedText
from trainyard_trainer.data.identity import data_digest, holdout_digest, row_hashes
from trainyard_trainer.data.inputs import settled
from trainyard_trainer.data.leakage import leaks
from trainyard_trainer.data.leakage_text import repeated
from trainyard_trainer.data.partition import Marks, deal_folds, divide, group_hashes, partition
from trainyard_trainer.data.roles import Roles, check_names, default_target, infer, weights
from trainyard_trainer.data.settings import DataSettings
from trainyard_trainer.data.split import Parts, fraction
from trainyard_trainer.data.steps import behind, step_through
from trainyard_trainer.data.table import Images, Numbers, Rows, Table, Texts
from trainyard_trainer.data.target import Target, read_target, with_target
from trainyard_trainer.data.texts import TextReader
from trainyard_trainer.errors import DataError, closest

_NAMED = 5
_REPEAT = 0x51ED2701  # between the seeds of repeats


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that the later stages take from the data.

    Attributes:
        preprocessor: Fitted on the training rows; also holds the schema.
        train: Rows to learn from.
        validation: Rows that choose the epoch and the threshold.
        table: All rows that have a target, as read.
        target: Their target.
        rows: Numbers of the rows of each part.
        target_means: Of the training rows, one for each target; empty for classes.
        target_scales: Likewise.
        data_digest: Identity of the data.
        holdout_digest: Identity of the test rows; empty in a fold, which is judged on no hold-out.
        notices: What was inferred, left out or looks wrong, in words.
        leakage: Those notices that speak of leakage.
        weights: Weight of each row of the table, or None.
        vectors: Of texts, where the embedding starts: float32 (vocabulary, width), or None.
        vectors_trainable: Whether training may change them.
        coverage: Of texts, what tokenizer and vectors know of them, as JSON; else None.
    """

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
    leakage: tuple[str, ...] = ()
    weights: NDArray[np.float64] | None = None
    vectors: NDArray[np.float32] | None = None
    vectors_trainable: bool = True
    coverage: Mapping[str, Any] | None = None

    @property
    def schema(self) -> Schema:
        """Inputs and outputs of the model."""
        return self.preprocessor.schema

    def raw(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """Feature columns of some rows as a user would pass them."""
        names = [c.name for c in self.schema.columns]
        return (
            Table({name: self.table.columns[name] for name in names}, self.table.rows).take(rows).cells(names)
        )


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold of one repeat, both from 0; `data.rows.test` are the fold's rows, which only judge."""

    repeat: int
    fold: int
    data: Prepared


@dataclass(frozen=True, slots=True)
class Understood:
    """A table whose columns have their roles, before any row has its part.

    Attributes:
        raw: Rows that have a target, as read.
        typed: The same, each column in the kind of its role.
        target: What is predicted.
        roles: What each column is for.
        marks: What a split can go by.
        weights: Weight of each row, or None.
        digest: Identity of the data.
        notices: What was inferred or left out.
        settings: With what the data themselves decide.
        reader: Of texts.
    """

    raw: Table
    typed: Table
    target: Target
    roles: Roles
    marks: Marks
    weights: NDArray[np.float64] | None
    digest: str
    notices: tuple[str, ...]
    settings: DataSettings
    reader: TextReader


def understand(
    table: Table, settings: DataSettings, notices: Sequence[str] = (), folder: Path | None = None
) -> Understood:
    """Targets, roles and identities of a loaded table.

    Args:
        table: As read.
        settings: The data stage's settings.
        notices: What was said when it was read.
        folder: Where downloads may be put.

    Raises:
        DataError: The data cannot be trained on; the message names column or row.
    """
    settings, decided = settled(table, settings)
    check_names(table, settings)
    names, inferred = settings.targets or ((settings.target,) if settings.target else ()), []
    if not names:
        names = (default_target(table, settings),)
        inferred.append(f"'{names[0]}' is predicted (the last column)")
    digest = data_digest(table)
    table, said = with_target(table, names)
    target = read_target(table, names, settings)
    typed, roles = infer(table, names, settings)
    weight = weights(table, settings.columns.weight)
    hashes = row_hashes(typed, roles.identity)
    groups, grouped = group_hashes(table, settings.split, hashes)
    if inferred := [*inferred, *target.inferred]:
        inferred = [f"inferred: {'; '.join(inferred)}"]
    return Understood(
        table,
        typed,
        target,
        roles,
        Marks(hashes, target.labels, groups),
        weight.values if isinstance(weight, Numbers) else None,
        digest,
        (*notices, *decided, *inferred, *said, *roles.notices, *grouped, *_repeated(typed, roles, target)),
        settings,
        TextReader(settings.text, settings.split.seed, folder),
    )


def _repeated(table: Table, roles: Roles, target: Target) -> list[str]:
    column = table.columns[roles.features[0].name]
    return repeated(column, target) if roles.features[0].role == TEXT and isinstance(column, Texts) else []


def prepare(table: Table, settings: DataSettings, notices: Sequence[str] = ()) -> Prepared:
    """Roles, split and encoding of a loaded table.

    Raises:
        DataError: The data cannot be trained on; the message names column or row.
    """
    return divided(understand(table, settings, notices))


def divided(data: Understood) -> Prepared:
    """Split and encoding.

    Raises:
        DataError: A part or a class would be empty.
    """
    settings = data.settings
    parts, said = partition(data.raw, data.marks, settings.split)
    parts = _fraction(data, parts, settings)
    _check_parts(data, parts, settings)
    found = leaks(data.typed, data.roles, data.target, data.marks, parts, settings)
    holdout = holdout_digest(data.raw, parts.test)
    return _build(data, parts, holdout, (*said, *_never_judged(data, parts), *found), tuple(found))


def _never_judged(data: Understood, parts: Parts) -> list[str]:
    """Classes that train but are in no test row, where there are any: their scores mean nothing."""
    classes = data.target.classes
    if not classes or not len(parts.test):
        return []
    trained, tested = (
        np.bincount(data.target.labels[p], minlength=len(classes)) for p in (parts.train, parts.test)
    )
    absent = [f"{classes[i]!r} ({trained[i]} training rows)" for i in np.flatnonzero(tested == 0)]
    if not absent:
        return []
    more = f" and {len(absent) - _NAMED} others" if len(absent) > _NAMED else ""
    return [
        f"no test row has the label {', '.join(absent[:_NAMED])}{more}: what is learned of it is never judged"
    ]


def folds(data: Understood) -> Iterator[Fold]:
    """Every fold of every repeat, made when it is asked for.

    The test share is set aside first, as without folds; the rest is dealt to the folds. Of the rows outside a
    fold, split.validation choose the epoch and the others train; each fold has a preprocessor of its own.

    Raises:
        DataError: As `divided`; or there are fewer rows or groups than folds.
    """
    settings, split = data.settings, data.settings.split
    count = split.folds or 0
    parts, _ = partition(data.raw, data.marks, split)
    pool = np.sort(np.concatenate([parts.train, parts.validation]))
    for repeat in range(split.repeats):
        seed = split.seed + _REPEAT * (repeat + 1)
        number = deal_folds(data.marks, pool, count, seed)
        for fold in range(count):
            rest, judged = pool[number != fold], pool[number == fold]
            train, validation = divide(data.marks, rest, split.validation, seed + fold + 1)
            parts = _fraction(data, Parts(train, validation, judged), settings)
            _check_parts(data, parts, settings, f"of fold {fold + 1} ")
            yield Fold(repeat, fold, _build(data, parts, ""))


def _fraction(data: Understood, parts: Parts, settings: DataSettings) -> Parts:
    kept = fraction(data.marks.hashes, parts.train, settings.train_fraction, settings.split.seed)
    return Parts(kept, parts.validation, parts.test)


def _build(
    data: Understood, parts: Parts, holdout: str, said: Sequence[str] = (), leakage: tuple[str, ...] = ()
) -> Prepared:
    schema = Schema(data.target.task, data.target.names, data.roles.features, data.target.classes)
    typed, read, steps = step_through(data.typed, schema, parts.train, data.settings.steps)
    fitted = _fit(replace(data, typed=typed), read, parts)
    encoder = Encoder.of(fitted, data.target, data.weights, parts.train)
    return Prepared(
        behind(steps, schema, fitted.preprocessor),
        encoder.encode(parts.train),
        encoder.encode(parts.validation),
        data.raw,
        data.target,
        parts,
        encoder.target_means,
        encoder.target_scales,
        data.digest,
        holdout,
        (*data.notices, *fitted.notices, *said),
        leakage,
        data.weights,
        **_of_texts(fitted, data.settings),
    )


def _of_texts(fitted: Fitted, settings: DataSettings) -> dict[str, Any]:
    """What only texts have."""
    if not isinstance(fitted, FittedText):
        return {}
    trainable = settings.text.vectors is None or settings.text.vectors.trainable
    return {"vectors": fitted.vectors, "vectors_trainable": trainable, "coverage": fitted.coverage}


def _fit(data: Understood, schema: Schema, parts: Parts) -> Fitted:
    """The preprocessing of what the model reads, fitted on the training rows."""
    if data.settings.inputs == "image":
        images = data.typed.columns[schema.columns[0].name]
        assert isinstance(images, Images)  # noqa: S101 - `infer` made it so
        return fit_images(images, schema, parts.train, data.settings.image)
    if data.settings.inputs == "text":
        texts = data.typed.columns[schema.columns[0].name]
        assert isinstance(texts, Texts)  # noqa: S101
        return data.reader.fit(texts, schema, parts)
    return fit_table(data.typed, schema, parts.train)


def _check_parts(data: Understood, parts: Parts, settings: DataSettings, where: str = "") -> None:
    """No part that was asked for is empty, and every label can be learned."""
    shares = {"train": 1.0, "validation": settings.split.validation, "test": settings.split.test}
    if where:
        shares["test"] = 1.0
    for part, share in shares.items():
        rows = getattr(parts, part)
        if share > 0.0 and len(rows) < (2 if part == "train" else 1):
            raise DataError(
                f"the {part} part {where}has {len(rows)} rows of {data.raw.rows}",
                "use more rows or other shares in data.split",
            )
        if data.weights is not None and len(rows) and not data.weights[rows].any():
            raise DataError(
                f"the {part} part {where}has no row of a weight above 0", "correct data.columns.weight"
            )
    if data.target.classes:
        _check_labels(data, parts, settings, where)


def _check_labels(data: Understood, parts: Parts, settings: DataSettings, where: str) -> None:
    classes, labels = data.target.classes, data.target.labels
    learned = np.bincount(labels[parts.train], minlength=len(classes)) > 0
    if learned.all():
        return
    missing = int(learned.argmin())
    label, others = classes[missing], [str(c) for c, known in zip(classes, learned, strict=True) if known]
    seen = "nowhere else"
    for part in ("validation", "test"):
        rows = getattr(parts, part)
        at = rows[labels[rows] == missing]
        if len(at):
            seen = f"in the {part} part {where}({data.raw.place(int(at[0]))})"
    hint = closest(str(label), others) if settings.split.by in ("Files", "Column") else ""
    remedy = "remove the label's rows, add training rows of it, or use another data.split.seed"
    if settings.train_fraction < 1.0:
        remedy = f"raise data.trainFraction, or {remedy}"
    raise DataError(
        f"target '{data.target.names[0]}': label {label!r} is {seen} but in no training row"
        + (f"; {hint}" if hint.startswith("did") else ""),
        remedy,
    )
