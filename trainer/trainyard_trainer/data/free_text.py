"""Which column of a table is its free text, and when two texts are the same."""

from __future__ import annotations

import numpy as np

from trainyard_trainer.data.settings import DataSettings
from trainyard_trainer.data.table import Images, Numbers, Table, Texts, Times, Values
from trainyard_trainer.errors import DataError, closest

_FEW = 20
_WORDS = 2.0
_LOOKED_AT = 1_000
FIELD = "data.columns.text"


def text_column(table: Table, settings: DataSettings) -> tuple[str, str]:
    """The column that is read, and why: the one that is named, else the longest of free text.

    Raises:
        DataError: There is none, or the one named holds no text.
    """
    if settings.columns.text:
        (name,) = settings.columns.text
        if name not in table.columns:
            hint = closest(name, list(table.columns))
            raise DataError(f"{FIELD}: the data have no column '{name}'; {hint}", f"correct {FIELD}")
        if not isinstance(table.columns[name], Texts):
            held = _described(table.columns[name])
            raise DataError(
                f"{FIELD}: column '{name}' holds {held}, no text", f"name another column in {FIELD}"
            )
        return name, FIELD
    free = {name: table.columns[name] for name in unnamed(table, settings)}
    lengths = {
        n: _words(column) for n, column in free.items() if isinstance(column, Texts) and _varied(column)
    }
    if not lengths or max(lengths.values()) < _WORDS:
        shown = "; ".join(f"'{name}': {_described(column)}" for name, column in list(free.items())[:12])
        raise DataError(
            f"no column holds free text, which the model reads; there is {shown or 'no column left'}",
            f"name the column of texts in {FIELD}, or use a model for tables such as model.tabnet",
        )
    name = max(lengths, key=lambda each: lengths[each])
    return name, f"free text, {lengths[name]:.0f} words on average"


def unnamed(table: Table, settings: DataSettings) -> list[str]:
    """Columns that the settings give no purpose."""
    columns, split = settings.columns, settings.split
    taken = {*columns.drop, *columns.key, columns.weight, split.column, settings.target, *settings.targets}
    return [name for name in table.columns if name not in taken]


def only_text(table: Table, settings: DataSettings) -> bool:
    """Whether a table holds free text, a target, and nothing else."""
    try:
        name, _ = text_column(table, settings)
    except DataError:
        return False
    others = [each for each in unnamed(table, settings) if each != name]
    return bool(settings.columns.text) or len(others) <= (0 if settings.target or settings.targets else 1)


def collapsed(column: Texts) -> Texts:
    """Every stretch of white space as one space: texts that differ by no more are the same text."""
    number: dict[str, int] = {}
    codes = []
    for text in column.words:
        short = " ".join(text.split())
        codes.append(number.setdefault(text if short == text else short, len(number)))
    return Texts(tuple(number), np.array([*codes, -1], dtype=np.int32)[column.codes])


def _varied(column: Texts) -> bool:
    """Hardly any category has so many values."""
    distinct = len(column.used())
    return distinct > min(_FEW, len(column.codes) / 2)


def _words(column: Texts) -> float:
    """Words of a text, on average over the first ones."""
    texts = [column.words[code] for code in column.used()[:_LOOKED_AT]]
    return sum(len(text.split()) for text in texts) / max(len(texts), 1)


def _described(column: Values) -> str:
    if isinstance(column, Images):
        return "images"
    if isinstance(column, Numbers):
        return "numbers"
    if isinstance(column, Times):
        return "dates"
    return f"{len(column.used())} different texts of {_words(column):.0f} words"
