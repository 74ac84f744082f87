"""What a training would see of its data, without training: every column, the split, and what is wrong.

The same steps as a training takes, in the same order, so that what fails here fails there with the same
words; what is known by then is shown all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_model.schema import Label
from trainyard_trainer.data.identity import row_hashes
from trainyard_trainer.data.images.build import CHANNELS
from trainyard_trainer.data.load import Opened, open_sources, read_sources, stated_need
from trainyard_trainer.data.prepare import Prepared, Understood, divided, folds, understand
from trainyard_trainer.data.settings import DataSettings
from trainyard_trainer.data.source import content_hash, content_size
from trainyard_trainer.data.table import Images, Numbers, Table, Texts, Values
from trainyard_trainer.errors import JobError

_LOOKED_AT = 200_000
_SHOWN = 3
_DRAWN = 6
_EXAMPLES, _BEGINNING = 6, 300


@dataclass(frozen=True, slots=True)
class ColumnView:
    """A column: its role and why, its gaps, how many different values (at least) and some of them."""

    name: str
    role: str
    why: str
    missing: float
    distinct: int
    exact: bool
    values: str


@dataclass(frozen=True, slots=True)
class ImageView:
    """An image of a class: (height, width), or (height, width, channels)."""

    label: str
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class TextView:
    """What is known of texts (`Prepared.coverage`), and the beginning of one text of each class."""

    coverage: Mapping[str, Any]
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PartView:
    """Rows of a part; for classes, rows of each label in the order of `Preview.classes`."""

    name: str
    rows: int
    labels: tuple[int, ...] = ()


@dataclass(slots=True)
class Preview:
    """What is known before training; `folds` are folds and repeats, `error` what training would end with."""

    uris: tuple[str, ...]
    sizes: tuple[int | None, ...] = ()
    pins: tuple[str | None, ...] = ()
    need: str | None = None
    folds: tuple[int, int] | None = None
    rows: int = 0
    columns: list[ColumnView] = field(default_factory=list)
    images: list[ImageView] = field(default_factory=list)
    texts: TextView | None = None
    task: str = ""
    targets: tuple[str, ...] = ()
    classes: tuple[Label, ...] = ()
    parts: list[PartView] = field(default_factory=list)
    data_digest: str = ""
    holdout_digest: str = ""
    notices: tuple[str, ...] = ()
    leakage: tuple[str, ...] = ()
    error: JobError | None = None


def preview(settings: DataSettings, folder: Path) -> Preview:
    """Look at the data as a training would; never raises for what a training would end with.

    Args:
        settings: The data stage's settings.
        folder: Where downloads may be put.
    """
    split = settings.split
    files = [s for s in (settings.source, split.validation_file, split.test_file) if s is not None]
    found = Preview(tuple(file.uri for file in files))
    found.folds = (split.folds, split.repeats) if split.folds else None
    try:
        _look(settings, folder, found)
    except JobError as error:
        found.error = error
    return found


def _look(settings: DataSettings, folder: Path, found: Preview) -> None:
    opened = open_sources(settings, folder)
    _measure(opened, found)
    table, notices = read_sources(opened)
    found.rows, found.notices = table.rows, tuple(notices)
    found.columns = [_column(name, column, table) for name, column in table.columns.items()]
    known = understand(table, settings, notices, folder)
    _explain(known, found)
    prepared = divided(known)
    _divide(prepared, found)
    if found.folds and table.rows <= _LOOKED_AT:
        for _ in folds(known):
            pass  # a part or a label may be missing in one of them


def _measure(opened: list[Opened], found: Preview) -> None:
    paths = [(path, uri) for file in opened for path, uri in zip_longest(file.paths, file.uris)]
    found.uris = tuple(uri for _, uri in paths)
    found.sizes = tuple(None if path is None else content_size(path) for path, _ in paths)
    found.pins = tuple(None if path is None else content_hash(path) for path, _ in paths)
    found.need = stated_need(opened)


def _column(name: str, column: Values, table: Table) -> ColumnView:
    """Facts of one column; of a long one, those of its first rows."""
    exact = table.rows <= _LOOKED_AT
    missing = float(column.missing.mean())
    if isinstance(column, Images):
        return _image_column(name, column)
    if isinstance(column, Texts):
        counts = np.bincount(column.codes + 1, minlength=len(column.words) + 1)[1:]
        top = [int(code) for code in np.argsort(-counts, kind="stable")[:_SHOWN] if counts[code]]
        often = bool(top) and counts[top[0]] > max(1, table.rows / 200)
        shown = ", ".join(
            f"{column.words[code]:.24}" + (f" {counts[code] / table.rows:.0%}" if often else "")
            for code in top
        )
        return ColumnView(name, "", "", missing, int((counts > 0).sum()), True, shown)
    part = column.values[:_LOOKED_AT]
    present = part[~np.isnan(part)]
    distinct = len(np.unique(present))
    if not distinct:
        return ColumnView(name, "", "", missing, 0, exact, "")
    low, high = np.nanmin(column.values), np.nanmax(column.values)
    if isinstance(column, Numbers):
        shown = f"{low:.6g} to {high:.6g}"
    else:
        days = np.array([low, high]).astype("datetime64[s]").astype("datetime64[D]")
        shown = f"{days[0]} to {days[1]}"
    return ColumnView(name, "", "", missing, distinct, exact, shown)


def _image_column(name: str, column: Images) -> ColumnView:
    part = Images(column.pixels[:_LOOKED_AT])
    distinct = len(np.unique(row_hashes(Table({name: part}, len(part.pixels)), [name])))
    values = f"{column.size}, {CHANNELS[column.pixels.shape[1]]}, mean {column.pixels.mean():.0f} of 255"
    return ColumnView(name, "", "", 0.0, distinct, len(part.pixels) == len(column.pixels), values)


def _explain(known: Understood, found: Preview) -> None:
    uses = known.roles.uses
    found.columns = [
        ColumnView(
            view.name,
            uses[view.name].role,
            uses[view.name].why,
            view.missing,
            view.distinct,
            view.exact,
            view.values,
        )
        for view in found.columns
    ]
    found.task, found.targets, found.classes = known.target.task, known.target.names, known.target.classes
    found.data_digest, found.notices = known.digest, known.notices
    for column in known.typed.columns.values():
        if isinstance(column, Images):
            firsts = np.unique(known.target.labels, return_index=True)[1][:_DRAWN]
            labels = known.target.classes or ("",)
            found.images = [
                ImageView(str(label), Images(column.pixels[row : row + 1]).cells()[0])
                for label, row in zip(labels, firsts, strict=False)
            ]


def _texts(prepared: Prepared, coverage: Mapping[str, Any]) -> TextView:
    """The first text of each class, as far as a line can show it."""
    labels = prepared.target.labels
    firsts = np.unique(labels, return_index=True)[1][:_EXAMPLES]
    (cells,) = prepared.raw(firsts).values()
    classes = prepared.target.classes or ("",)
    shown = ((str(classes[labels[row]]), cell) for row, cell in zip(firsts, cells, strict=True))
    return TextView(
        coverage, tuple((label, " ".join((cell or "")[:_BEGINNING].split())) for label, cell in shown)
    )


def _divide(prepared: Prepared, found: Preview) -> None:
    labels, count = prepared.target.labels, len(prepared.target.classes)
    for name in ("train", "validation", "test"):
        rows = getattr(prepared.rows, name)
        by_label = tuple(np.bincount(labels[rows], minlength=count).tolist()) if count else ()
        found.parts.append(PartView(name, len(rows), by_label))
    found.holdout_digest = prepared.holdout_digest
    if prepared.coverage is not None:
        found.texts = _texts(prepared, prepared.coverage)
    found.leakage = prepared.leakage
    found.notices = tuple(notice for notice in prepared.notices if notice not in prepared.leakage)
