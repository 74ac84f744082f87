"""Each input column against the answers: shares by category, distributions by class, means by value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainyard_model.values import category_text
from trainyard_trainer.report import style, words
from trainyard_trainer.report.chart import Chart, Listing, Section, Table
from trainyard_trainer.report.findings import Findings, Floats, Integers, Values

_SHOWN, _CATEGORIES, _CLASSES, _BINS = 12, 8, 5, 20
_ROWS, _FEWEST = 50_000, 50
_MISSING = "(missing)"


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows put into a few groups by number; the last may hold all others."""

    names: tuple[str, ...]
    of: Integers
    others: bool = False


def section(f: Findings) -> Section | None:
    """A chart for each of the most important columns, and one line for every column."""
    if not f.columns or f.inputs != "table":
        return None
    few, sampled = f.sampled(_ROWS)
    names = f.ranked_features
    charts: list[Chart | Listing] = []
    drawable = [name for name in names if not is_text(few.columns[name])]
    for rank, name in enumerate(drawable[:_SHOWN], 1):
        charts.append(_chart(few, name, f"feature_{rank:02d}_{words.slug(name)}"))
    table = Table(
        ("column", "importance", "missing", "distinct", "typical"), [_line(few, name) for name in names]
    )
    sentences = [_legend(f), *([sampled] if sampled else [])]
    if len(drawable) > _SHOWN:
        sentences.append(
            f"The {_SHOWN} most important of {len(names):,} columns are drawn; the table has all."
        )
    charts.append(Listing("features", "Every column", table, shown=_SHOWN * 2, folded=len(names) > 8))
    return Section("features", "Column by column", sentences, charts)


def _legend(f: Findings) -> str:
    """How to read the charts."""
    if f.classification:
        return (
            "Of a column of categories: the share of each prediction among a category's rows, with their "
            "number. Of a column of numbers: how the rows of each true class are spread; the outermost bins "
            "hold what lies beyond."
        )
    return (
        f"Mean {_first(f)}, true and predicted: among the rows of each category, with their number; of a "
        "column of numbers over groups of equally many rows."
    )


def is_numeric(values: Values) -> bool:
    """Whether cells are numbers; a column of texts is an object array."""
    return values.dtype.kind in "fiu"


def is_text(values: Values) -> bool:
    """Whether hardly any cell occurs twice: such a column has no categories to compare."""
    if is_numeric(values) or len(values) <= _FEWEST:
        return False
    return 2 * len(coded(values)[0]) > len(values)


def coded(values: Values) -> tuple[list[str], Integers]:
    """Distinct categories, gaps among them as `(missing)`, and which one each cell is."""
    seen: dict[Any, int] = {}
    codes = np.empty(len(values), dtype=np.int64)
    for i, value in enumerate(values.tolist()):
        key = value if isinstance(value, str) else (type(value), str(value))
        codes[i] = seen.setdefault(key, len(seen))
    cells = [key if isinstance(key, str) else None if key[0] is type(None) else key[1] for key in seen]
    texts = [category_text(cell) for cell in cells]
    names, place = np.unique([_MISSING if text is None else text for text in texts], return_inverse=True)
    return [str(name) for name in names], place.astype(np.int64)[codes]


def categories(values: Values, most: int = _CATEGORIES) -> Groups:
    """The most frequent categories, then all others; gaps are a category of their own."""
    names, codes = coded(values)
    return _largest(names, codes, np.bincount(codes, minlength=len(names)), most)


def classes_of(f: Findings, numbers: Integers, most: int = _CLASSES) -> Groups:
    """The most frequent classes among these numbers in their own order, then all others."""
    counts = np.bincount(numbers, minlength=len(f.classes))
    if len(f.classes) <= most:
        return Groups(f.labels, numbers)
    return _largest(list(f.labels), numbers, counts, most, by_count=False)


def _largest(
    names: Sequence[str], numbers: Integers, counts: Values, most: int, by_count: bool = True
) -> Groups:
    order = np.argsort(-counts, kind="stable")
    if by_count and len(names) <= most:
        kept = order
    else:
        present = int((counts > 0).sum())
        kept = order[: most if present <= most else most - 1]
        kept = kept if by_count else np.sort(kept)
    group = np.full(len(names), len(kept))
    group[kept] = np.arange(len(kept))
    of = group[numbers]
    shown = tuple(names[i] for i in kept)
    if (of == len(kept)).any():
        left = int((counts > 0).sum()) - int((counts[kept] > 0).sum())
        return Groups((*shown, f"{left:,} more"), of, True)
    return Groups(shown, of)


def _chart(f: Findings, name: str, stem: str) -> Chart:
    values = f.columns[name]
    share = f.importance.get(name)
    title = words.short(name, 40) + (f" · {words.share(share)} of importance" if share is not None else "")
    if is_numeric(values):
        numbers = values.astype(np.float64)
        present = np.isfinite(numbers)
        gaps = len(numbers) - int(present.sum())
        says = f"{words.count(gaps, 'row has', 'rows have')} no value." if gaps else ""
        if len(np.unique(numbers[present])) > 1:
            draw = _by_class if f.classification else _by_value
            return draw(f, name, stem, title, says, numbers)
    return _by_category(f, name, stem, title, values)


def _by_category(f: Findings, name: str, stem: str, title: str, values: Values) -> Chart:
    groups = categories(values)
    counts = np.bincount(groups.of, minlength=len(groups.names))
    labels = [f"{words.short(n, 18)} ({c:,})" for n, c in zip(groups.names, counts, strict=True)]
    drawn, axes = style.figure(1.3 + 0.28 * len(labels))
    places = np.arange(len(labels))
    if f.classification:
        given = classes_of(f, f.predicted)
        shares = np.zeros((len(labels), len(given.names)))
        np.add.at(shares, (groups.of, given.of), 1.0)
        shares /= np.maximum(counts[:, None], 1)
        left = np.zeros(len(labels))
        for i, colour in enumerate(style.colours(len(given.names), given.others)):
            axes.barh(
                places, shares[:, i], left=left, color=colour, height=0.72, label=words.short(given.names[i])
            )
            left += shares[:, i]
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of predictions")
        style.legend(axes, style.legend_columns([words.short(n) for n in given.names]))
        columns = ("category", "rows", *given.names)
        data = [[n, c, *row] for n, c, row in zip(groups.names, counts, shares, strict=True)]
    else:
        means = [_means(values_of[:, 0], groups) for values_of in (f.truth, f.judged.scores)]
        axes.plot(means[0], places, "o", color=style.BLUE, label="true mean")
        axes.plot(means[1], places, "x", color=style.ORANGE, markersize=7, label="predicted mean")
        axes.set_xlabel(words.short(f.targets[0], 40))
        style.legend(axes, 2)
        columns = ("category", "rows", "true mean", "predicted mean")
        data = [list(row) for row in zip(groups.names, counts, *means, strict=True)]
    axes.set_yticks(places, labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    return style.chart(drawn, stem, title, "", Table(columns, data))


def _means(values: Floats, groups: Groups) -> Floats:
    counts = np.bincount(groups.of, minlength=len(groups.names))
    return np.bincount(groups.of, values, minlength=len(groups.names)) / np.maximum(counts, 1)


def edges(values: Floats, count: int = _BINS) -> Floats:
    """Bin edges over the middle 99 %, so that one outlier does not leave the rest in one bin."""
    low, high = np.quantile(values, [0.005, 0.995])
    distinct = np.unique(values)
    if len(distinct) > count and low < high:
        distinct = distinct[(distinct >= low) & (distinct <= high)]
    else:
        low, high = distinct[0], distinct[-1]
    if 1 < len(distinct) <= count:
        middle = (distinct[1:] + distinct[:-1]) / 2
        first, last = distinct[0] - (middle[0] - distinct[0]), distinct[-1] + (distinct[-1] - middle[-1])
        return np.concatenate([[first], middle, [last]])
    return np.linspace(low, high, count + 1)


def _by_class(f: Findings, name: str, stem: str, title: str, says: str, numbers: Floats) -> Chart:
    """Of the rows of each class, the share in each bin."""
    present = np.isfinite(numbers)
    found = classes_of(f, f.judged.target.astype(np.int64))
    fewest = int(np.bincount(found.of[present], minlength=len(found.names)).min())
    bounds = edges(numbers[present], int(np.clip(2 * np.sqrt(fewest), 6, _BINS)))
    drawn, axes = style.figure(3.0)
    data: list[list[Any]] = []
    labels: list[str] = []
    for i, colour in enumerate(style.colours(len(found.names), found.others)):
        mine = numbers[present & (found.of == i)]
        if not len(mine):
            continue
        heights = np.histogram(np.clip(mine, bounds[0], bounds[-1]), bounds)[0] / len(mine)
        labels.append(words.short(found.names[i]))
        axes.stairs(heights, bounds, color=colour, label=labels[-1], linewidth=1.6)
        if len(found.names) < 4:
            axes.stairs(heights, bounds, color=colour, fill=True, alpha=0.12)
        data += [[found.names[i], *row] for row in zip(bounds[:-1], bounds[1:], heights, strict=True)]
    axes.set_xlabel(words.short(name, 40))
    axes.set_ylabel("share of the class")
    axes.set_ylim(bottom=0)
    style.legend(axes, style.legend_columns(labels))
    return style.chart(drawn, stem, title, says, Table(("class", "from", "to", "share"), data))


def _by_value(f: Findings, name: str, stem: str, title: str, says: str, numbers: Floats) -> Chart:
    """Mean of the first target, true and predicted, over values of the column."""
    parts = _equal_parts(numbers)
    data = [
        [numbers[rows].mean(), f.truth[rows, 0].mean(), f.judged.scores[rows, 0].mean(), len(rows)]
        for rows in parts
    ]
    at, true, predicted, _ = (np.array(values) for values in zip(*data, strict=True))
    drawn, axes = style.figure(3.0)
    axes.plot(at, true, "o-", color=style.BLUE, markersize=4, label="true mean")
    axes.plot(at, predicted, "x--", color=style.ORANGE, markersize=5, label="predicted mean")
    axes.set_xlabel(words.short(name, 40))
    axes.set_ylabel(words.short(f.targets[0], 30))
    style.legend(axes, 2)
    columns = ("mean value", "true mean", "predicted mean", "rows")
    return style.chart(drawn, stem, title, says, Table(columns, data))


def _equal_parts(numbers: Floats, most: int = 12) -> list[Integers]:
    """Rows by value in parts of about equal number; rows of equal value stay together."""
    present = np.flatnonzero(np.isfinite(numbers))
    values = numbers[present]
    distinct = np.unique(values)
    bounds = distinct[1:]
    if len(distinct) > most:
        count = max(2, min(most, len(values) // 10))
        bounds = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)[1:-1]))
    place = np.searchsorted(bounds, values, side="right")
    return [present[place == i] for i in range(len(bounds) + 1) if (place == i).any()]


def _first(f: Findings) -> str:
    more = f" (the first of {len(f.targets)} targets)" if len(f.targets) > 1 else ""
    return f"“{words.short(f.targets[0])}”{more}"


def _line(f: Findings, name: str) -> list[Any]:
    """Importance, share of gaps, distinct values, and what is usual."""
    values = f.columns[name]
    if is_numeric(values):
        numbers = values.astype(np.float64)
        present = numbers[np.isfinite(numbers)]
        typical = "–"
        if len(present):
            low, middle, high = np.quantile(present, [0.05, 0.5, 0.95])
            typical = f"{words.number(middle)} ({words.number(low)} to {words.number(high)})"
        gaps, distinct = 1 - len(present) / len(numbers), len(np.unique(present))
    else:
        names, codes = coded(values)
        counts = np.bincount(codes, minlength=len(names))
        of = {name: int(count) for name, count in zip(names, counts, strict=True)}
        gaps = of.pop(_MISSING, 0) / len(values)
        distinct = len(of)
        typical = ", ".join(words.short(name, 20) for name in sorted(of, key=lambda name: -of[name])[:3])
    return [name, f.importance.get(name), gaps, distinct, typical]
