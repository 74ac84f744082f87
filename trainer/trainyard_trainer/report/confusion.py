"""Which class is taken for which."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainyard_trainer.report import style, words
from trainyard_trainer.report.chart import Chart, Listing, Section, Table
from trainyard_trainer.report.findings import Findings, Integers

_WHOLE, _CHOSEN = 20, 14
_CELLS = 5000


def matrix(f: Findings) -> Integers:
    """Rows by true class (first axis) and predicted class."""
    k = len(f.classes)
    flat = f.judged.target.astype(np.int64) * k + f.predicted
    return np.bincount(flat, minlength=k * k).reshape(k, k)


def pairs(counts: Integers) -> list[tuple[int, int, int]]:
    """(true, predicted, rows) of what is confused, the most frequent first."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    true, predicted = np.nonzero(wrong)
    order = np.argsort(-wrong[true, predicted], kind="stable")
    return [(int(true[i]), int(predicted[i]), int(wrong[true[i], predicted[i]])) for i in order]


def section(f: Findings) -> Section | None:
    """The matrix (of many classes the most confused ones), the frequent confusions, and each class."""
    if not f.classification:
        return None
    counts = matrix(f)
    absent = [f.labels[i] for i in np.flatnonzero(counts.sum(1) == 0)]
    sentences = [_summary(f, counts)]
    if absent:
        names = words.listed([f"“{words.short(name)}”" for name in absent[:5]])
        more = f" and {len(absent) - 5:,} more" if len(absent) > 5 else ""
        sentences.append(f"No {f.part} row is of class {names}{more}: nothing can be said about it here.")
    blocks: list[Chart | Listing] = [_chart(f, counts)]
    confused = pairs(counts)
    if confused and len(f.classes) > 2:
        data = [[f.labels[t], f.labels[p], n, n / counts[t].sum()] for t, p, n in confused]
        table = Table(("true class", "taken for", "rows", "share of the class"), data)
        blocks.append(Listing("confusions", "Most frequent confusions", table, shown=10))
    blocks += _classes(f)
    return Section("confusion", "What it takes for what", sentences, blocks)


def _summary(f: Findings, counts: Integers) -> str:
    total, right = int(counts.sum()), int(np.trace(counts))
    said = f"{right:,} of {total:,} {f.part} rows are given their class ({words.share(right / total)})."
    if (found := pairs(counts)) and len(f.classes) > 2:
        true, predicted, rows = found[0]
        said += (
            f" The most frequent mistake: “{words.short(f.labels[true])}” taken for "
            f"“{words.short(f.labels[predicted])}”, {words.count(rows, 'row')}."
        )
    return said


def aggregated(counts: Integers) -> tuple[Integers, list[int]]:
    """Counts of the most confused classes and, last, all others put together; and which classes those are."""
    k = len(counts)
    if k <= _WHOLE:
        return counts, list(range(k))
    errors = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    chosen = np.sort(np.lexsort((-counts.sum(1), -errors))[:_CHOSEN])
    group = np.full(k, _CHOSEN)
    group[chosen] = np.arange(_CHOSEN)
    small = np.zeros((_CHOSEN + 1, _CHOSEN + 1), dtype=np.int64)
    np.add.at(small, (group[:, None], group[None, :]), counts)
    return small, [int(c) for c in chosen]


def _chart(f: Findings, counts: Integers) -> Chart:
    small, chosen = aggregated(counts)
    labels = [words.short(f.labels[i], 16) for i in chosen]
    left = len(f.classes) - len(chosen)
    if left:
        labels.append(f"{left:,} more")
    n = len(labels)
    side = max(0.34 * n, 1.7)
    margin = 0.085 * max(words.width(label) for label in labels) + 0.4
    drawn, axes = style.figure(side + margin + 0.25, max(side + margin + 0.2, 3.4))
    totals = np.maximum(small.sum(1, keepdims=True), 1)
    shares = small / totals
    axes.imshow(shares, cmap=style.shades(), vmin=0, vmax=1, aspect="equal")
    size = 9 if n <= 10 else 6.5
    for i in range(n):
        for j in range(n):
            if small[i, j]:
                text = _compact(int(small[i, j]))
                axes.text(j, i, text, ha="center", va="center", size=size, color=style.on_shade(shares[i, j]))
    axes.set_xticks(range(n), labels, rotation=90 if n > 3 else 0)
    axes.set_yticks(range(n), labels)
    axes.grid(visible=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    says = "Rows in each cell; the shade is the share of the true class."
    if left:
        says += f" Shown are the {len(chosen)} classes with the most mistakes; last come the others."
    true, predicted = np.nonzero(counts)
    order = np.argsort(-counts[true, predicted], kind="stable")[:_CELLS]
    data: list[list[Any]] = [
        [f.labels[t], f.labels[p], counts[t, p], counts[t, p] / counts[t].sum()]
        for t, p in zip(true[order], predicted[order], strict=True)
    ]
    table = Table(("true", "predicted", "rows", "share of true"), data)
    return style.chart(drawn, "confusion_matrix", "Confusion matrix", says, table)


def _compact(value: int) -> str:
    if value < 10_000:
        return str(value)
    return f"{value / 1e3:.0f}k" if value < 999_500 else f"{value / 1e6:.1f}M"


def _classes(f: Findings) -> list[Listing]:
    """Metrics of each class; of many, those that are found least."""
    found = list(f.evaluation.get("perClass", ()))
    if not found:
        return []
    many = len(found) > _WHOLE
    if many:
        found.sort(key=lambda row: (row.get("rows", 1) == 0, row.get("recall", 1.0)))
    names = tuple(dict.fromkeys(name for row in found for name in row))
    table = Table(names, [[row.get(name) for name in names] for row in found])
    title = "Each class, those found least first" if many else "Each class"
    return [Listing("per_class", title, table, shown=_WHOLE)]
