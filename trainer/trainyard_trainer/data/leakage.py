"""Signs that a score will be too good to be true. They are notices, not errors: a rule can look like a leak.

Costs little beside encoding: columns are judged on a bounded sample of rows, whole rows by their hashes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainyard_model.schema import CATEGORICAL, TEXT
from trainyard_trainer.data.identity import Hashes, row_hashes
from trainyard_trainer.data.leakage_text import telling_words
from trainyard_trainer.data.partition import Marks
from trainyard_trainer.data.roles import Roles
from trainyard_trainer.data.settings import DataSettings
from trainyard_trainer.data.split import Parts
from trainyard_trainer.data.table import Numbers, Rows, Table, Texts
from trainyard_trainer.data.target import Target

_CELLS = 250_000
_ROWS_AT_MOST, _ROWS_AT_LEAST = 20_000, 500
_ERRORS = 0.01
"""Of what chance would get wrong: a column that gets fewer wrong than this share gives the target away."""
_CORRELATION = 0.9999
_OFTEN = 5


def leaks(
    table: Table, roles: Roles, target: Target, marks: Marks, parts: Parts, settings: DataSettings
) -> list[str]:
    """What looks like leakage, in words that name the column or the count and the remedy."""
    found = _across(table, roles, marks, parts, settings)
    rows = _sample(len(parts.train), len(roles.features), parts.train)
    for column in roles.features:
        values = table.columns[column.name]
        if column.role == TEXT and isinstance(values, Texts):
            if words := telling_words(values, target, parts.train):
                shown = ", ".join(f"'{word}'" for word in words[:5])
                found.append(
                    f"possible leakage: in '{column.name}' single words ({shown}) tell '{target.names[0]}' "
                    "almost perfectly; if they are the label itself, take them out of the texts, or name "
                    "them in data.text.stopWords"
                )
            continue
        if _gives_away(values, target, rows):
            found.append(
                f"possible leakage: column '{column.name}' alone predicts '{target.names[0]}' almost "
                "perfectly; if it is not known before the target, name it in data.columns.drop"
            )
        elif column.role != CATEGORICAL and isinstance(values, Numbers) and _counts_rows(values.values):
            found.append(
                f"possible leakage: column '{column.name}' numbers the rows; name it in data.columns.drop "
                "or data.columns.key"
            )
    return found


def _across(table: Table, roles: Roles, marks: Marks, parts: Parts, settings: DataSettings) -> list[str]:
    """Rows, and keys, that occur on both sides of the split. By hash there can be none."""
    split, key = settings.split, settings.columns.key
    if split.by == "Hash" and not key:
        return []
    found = []
    content = row_hashes(table, [c.name for c in roles.features]) if key else marks.hashes
    held_out = np.concatenate([parts.validation, parts.test])
    if twins := _shared(content, parts.train, held_out):
        found.append(
            f"possible leakage: {twins} of {len(held_out)} validation and test rows have the same features "
            "as a training row; by: Hash without columns.key keeps equal rows together"
        )
    if key and split.by != "Hash" and (known := _shared(marks.hashes, parts.train, held_out)):
        found.append(
            f"possible leakage: {known} of {len(held_out)} validation and test rows have a key "
            f"({', '.join(key)}) that training rows have too; by: Group keeps them together"
        )
    return found


def _shared(hashes: Hashes, train: Rows, held_out: Rows) -> int:
    return int(np.isin(hashes[held_out], hashes[train]).sum())


def _sample(count: int, columns: int, rows: Rows) -> Rows:
    """A fixed random choice of rows, in random order."""
    wanted = int(np.clip(_CELLS // max(columns, 1), _ROWS_AT_LEAST, _ROWS_AT_MOST))
    return rows[np.random.default_rng(0).choice(count, min(wanted, count), replace=False)]


def _gives_away(values: object, target: Target, rows: Rows) -> bool:
    if not target.classes:
        return isinstance(values, Numbers) and any(
            _correlated(values.values[rows], target.values[rows, i]) for i in range(target.values.shape[1])
        )
    labels = target.labels[rows]
    shares = np.bincount(labels) / max(len(labels), 1)
    if isinstance(values, Texts):
        return _words_tell(values.codes[rows], labels, float(1.0 - shares.max()))
    return isinstance(values, Numbers) and _order_tells(values.values[rows], labels, shares)


def _order_tells(values: NDArray[np.float64], labels: NDArray[np.int64], shares: NDArray[np.float64]) -> bool:
    """Sorted by the column, the label changes hardly more often than there are classes.

    Rows come in random order, so equal values of different labels count as changes.
    """
    by_chance = len(labels) * float(1.0 - (shares**2).sum())
    if by_chance < 20:
        return False
    ordered = labels[np.argsort(values, kind="stable")]
    changes = int((ordered[1:] != ordered[:-1]).sum())
    return bool(changes <= (np.count_nonzero(shares) - 1) + _ERRORS * by_chance)


def _words_tell(codes: NDArray[np.int32], labels: NDArray[np.int64], by_chance: float) -> bool:
    """Words that occur often have one label each, nearly always."""
    width = int(labels.max(initial=0)) + 1
    counts = np.bincount((codes + 1) * np.int64(width) + labels)
    counts = np.pad(counts, (0, -len(counts) % width)).reshape(-1, width)
    often = counts[counts.sum(1) >= _OFTEN]
    covered = int(often.sum())
    if covered < len(codes) / 2 or covered * by_chance < 20:
        return False
    wrong = covered - int(often.max(1).sum())
    return bool(wrong <= _ERRORS * by_chance * covered)


def _correlated(values: NDArray[np.float64], target: NDArray[np.float64]) -> bool:
    """A straight line, or a monotone curve, with hardly anything beside it."""
    present = ~np.isnan(values)
    x, y = values[present], target[present]
    if len(x) < 20 or len(x) < len(values) / 2 or x.min() == x.max() or y.min() == y.max():
        return False
    ranks = [np.argsort(np.argsort(v, kind="stable"), kind="stable") for v in (x, y)]
    pairs = ((x, y), (ranks[0], ranks[1]))
    return any(abs(float(np.corrcoef(a, b)[0, 1])) > _CORRELATION for a, b in pairs)


def _counts_rows(values: NDArray[np.float64]) -> bool:
    """1, 2, 3 ... in any order, without gaps or repeats."""
    if len(values) < 20 or values.max() - values.min() != len(values) - 1:
        return False
    steps = values - values.min()
    if not (steps == np.floor(steps)).all():
        return False
    return bool((np.bincount(steps.astype(np.int64), minlength=len(values)) == 1).all())
