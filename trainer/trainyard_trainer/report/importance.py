"""Which columns the answers rest on, over all rows and for each class."""

from __future__ import annotations

import numpy as np

from trainyard_trainer.report import style, tokens, words
from trainyard_trainer.report.chart import Block, Chart, Section, Table
from trainyard_trainer.report.findings import Findings, Floats

_BARS, _COLUMNS, _CLASSES = 20, 15, 12


def section(f: Findings) -> Section | None:
    """Bars of importance, and the mean attribution of each class where it is known."""
    if not f.importance:
        return None
    ranked = sorted(f.importance.items(), key=lambda item: -item[1])
    noun = "token" if f.inputs == "text" else "column"
    charts: list[Block] = [_bars(ranked, noun)]
    if f.inputs == "text":
        charts += tokens.by_class(f)
    elif f.classification and f.explanations and f.explained is not None and len(f.explained):
        charts.append(_by_class(f, [name for name, _ in ranked]))
    return Section("importance", "What it looks at", [_summary(ranked, noun)], charts)


def _summary(ranked: list[tuple[str, float]], noun: str) -> str:
    names = [f"“{words.short(name)}”" for name, _ in ranked[:3]]
    together = sum(value for _, value in ranked[:3])
    if len(ranked) <= 3:
        return f"It looks most at {names[0]} ({words.share(ranked[0][1])})."
    unused = sum(1 for _, value in ranked if value < 0.001)
    said = f"{words.listed(names)} make up {words.share(together)} of what it looks at"
    half = int(np.searchsorted(np.cumsum([value for _, value in ranked]), 0.9)) + 1
    said += f", and {words.count(min(half, len(ranked)), noun)} of {len(ranked):,} make up 90 %."
    if unused:
        said += f" {words.count(unused, f'{noun} counts', f'{noun}s count')} for less than 0.1 %."
    return said


def _bars(ranked: list[tuple[str, float]], noun: str) -> Chart:
    shown = ranked if len(ranked) <= _BARS + 1 else ranked[:_BARS]
    rest = ranked[len(shown) :]
    labels = [words.short(name, 26) for name, _ in shown]
    values = [value for _, value in shown]
    drawn, axes = style.figure(0.7 + 0.25 * len(labels))
    places = np.arange(len(labels))
    axes.barh(places, values, color=style.BLUE, height=0.7)
    for place, value in zip(places, values, strict=True):
        axes.text(value, float(place), f" {words.share(value)}", va="center", size=8, color=style.INK)
    axes.set_yticks(places, labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(0, max(values) * 1.15 or 1.0)
    axes.set_xlabel("share of importance")
    axes.grid(visible=False, axis="y")
    table = Table((noun, "importance"), [list(item) for item in ranked])
    more = words.share(sum(value for _, value in rest))
    says = f"{len(rest):,} more {noun}s have {more} together." if rest else ""
    return style.chart(drawn, "importance", f"Importance of each {noun}", says, table)


def masks(f: Findings, names: list[str]) -> tuple[Floats, list[int]]:
    """Mean attribution by true class, (classes, columns), each row adding up to 1; and rows of each class."""
    assert f.explanations is not None  # noqa: S101 - the caller has looked
    assert f.explained is not None  # noqa: S101
    target = f.judged.target[f.explained].astype(np.int64)
    counts = np.bincount(target, minlength=len(f.classes))
    sums = np.stack(
        [np.bincount(target, np.abs(f.explanations[name]), minlength=len(f.classes)) for name in names],
        axis=1,
    )
    whole = sums.sum(1, keepdims=True)
    return np.divide(sums, whole, out=np.zeros_like(sums), where=whole > 0), counts.tolist()


def _by_class(f: Findings, ranked: list[str]) -> Chart:
    assert f.explanations is not None  # noqa: S101
    assert f.explained is not None  # noqa: S101
    names = [name for name in ranked if name in f.explanations]
    means, counts = masks(f, names)
    present = [c for c in range(len(f.classes)) if counts[c]]
    chosen = (
        present if len(present) <= _CLASSES else sorted(sorted(present, key=lambda c: -counts[c])[:_CLASSES])
    )
    columns = names[:_COLUMNS]
    cells = means[np.ix_(chosen, range(len(columns)))]
    labels = [words.short(f.labels[c], 18) for c in chosen]
    drawn, axes = style.figure(1.2 + 0.26 * len(columns) + 0.07 * max(words.width(label) for label in labels))
    image = axes.imshow(cells.T, cmap=style.shades(), vmin=0, vmax=float(cells.max()) or 1.0, aspect="auto")
    axes.set_yticks(range(len(columns)), [words.short(name, 22) for name in columns])
    axes.set_xticks(range(len(chosen)), labels, rotation=90 if len(labels) > 3 else 0)
    axes.grid(visible=False)
    drawn.colorbar(image, ax=axes, label="share", shrink=0.8)
    says = f"Mean over {words.count(len(f.explained), 'row')}, by true class; each class adds up to 1."
    if len(present) > len(chosen):
        says += (
            f" The {len(chosen)} classes with the most rows; {len(present) - len(chosen):,} more in the file."
        )
    if len(names) > len(columns):
        says += f" The {len(columns)} most important columns; {len(names) - len(columns):,} more in the file."
    data = [
        [f.labels[c], names[j], means[c, j]]
        for c in present
        for j in np.argsort(-means[c], kind="stable")[: 50 if len(present) > _CLASSES else None]
    ]
    table = Table(("class", "column", "share"), data)
    return style.chart(drawn, "masks_by_class", "What it looks at, by class", says, table)
