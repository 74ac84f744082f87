"""How well scores tell classes apart: ROC and precision-recall curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainyard_trainer.report import style, words
from trainyard_trainer.report.chart import Chart, Section, Table
from trainyard_trainer.report.findings import Findings, Floats, Values

_EACH, _WORST = 6, 3
_WORK = 4_000_000
_POINTS = 200
_GRID = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True)
class Curve:
    """One class against the rest, with the area under it."""

    name: str
    x: Floats
    y: Floats
    area: float


def steps(scores: Floats, positive: Values) -> tuple[Floats, Floats]:
    """Positives and negatives at or above each distinct score, from the highest; starts with none."""
    order = np.argsort(-scores, kind="stable")
    ordered, hit = scores[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    true, false = np.cumsum(hit)[last], np.cumsum(~hit)[last]
    return np.concatenate([[0.0], true]), np.concatenate([[0.0], false])


def roc(name: str, scores: Floats, positive: Values) -> Curve:
    """False positive rate to true positive rate."""
    true, false = steps(scores, positive)
    x, y = false / false[-1], true / true[-1]
    return Curve(name, x, y, float(np.trapezoid(y, x)))


def precision_recall(name: str, scores: Floats, positive: Values) -> Curve:
    """Recall to precision; the area is the average precision, which does not interpolate."""
    true, false = steps(scores, positive)
    recall, precision = true[1:] / true[-1], true[1:] / (true[1:] + false[1:])
    area = float((np.diff(np.concatenate([[0.0], recall])) * precision).sum())
    return Curve(name, np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision]), area)


def section(f: Findings) -> Section | None:
    """Both charts; classes of which all rows or none are there have no curve."""
    if not f.classification:
        return None
    few, sampled = f.sampled(max(2000, _WORK // len(f.classes)))
    positive = {c: few.judged.target == c for c in ([1] if len(f.classes) == 2 else range(len(f.classes)))}
    usable = {c: rows for c, rows in positive.items() if rows.any() and not rows.all()}
    sentences = [sampled] if sampled else []
    if not usable:
        sentences.append(f"All {f.part} rows are of one class: there is nothing to tell apart, and no curve.")
        return Section("separation", "How well it tells classes apart", sentences)
    if len(usable) < len(positive):
        gone = len(positive) - len(usable)
        sentences.append(f"{words.count(gone, 'class has', 'classes have')} no {f.part} rows, and no curve.")
    charts = []
    for make, parts in ((roc, _ROC), (precision_recall, _PR)):
        curves = [make(f.labels[c], few.judged.scores[:, c], rows) for c, rows in usable.items()]
        point = _decision(few) if len(f.classes) == 2 else None
        charts.append(_chart(f, curves, parts, None if point is None else parts.at(*point)))
    return Section("separation", "How well it tells classes apart", sentences, charts)


@dataclass(frozen=True, slots=True)
class _Parts:
    stem: str
    title: str
    x: str
    y: str
    short: str
    at: Callable[[float, float, float], tuple[float, float]]


_ROC = _Parts(
    "roc_curve", "ROC curve", "false positive rate", "true positive rate", "AUC", lambda r, p, fpr: (fpr, r)
)
_PR = _Parts(
    "precision_recall", "Precision and recall", "recall", "precision", "AP", lambda r, p, fpr: (r, p)
)


def _decision(f: Findings) -> tuple[float, float, float] | None:
    """Recall, precision and false positive rate of the decisions made; None where one is not defined."""
    truth, given = f.judged.target == 1, f.predicted == 1
    if not given.any():
        return None
    hits = float((truth & given).sum())
    return hits / truth.sum(), hits / given.sum(), float((given & ~truth).sum() / (~truth).sum())


def _chart(f: Findings, curves: Sequence[Curve], parts: _Parts, point: tuple[float, float] | None) -> Chart:
    drawn, axes = style.figure(4.3)
    many = len(curves) > _EACH
    shown = sorted(curves, key=lambda curve: curve.area)[:_WORST] if many else list(curves)
    labels: list[str] = []
    data: list[list[Any]] = []
    if many:
        data = _band(axes, curves, labels)
    for curve, colour in zip(shown, style.SERIES[1:] if many else style.SERIES, strict=False):
        x, y = thin(curve.x, curve.y)
        labels.append(f"{words.short(curve.name)} ({parts.short} {words.number(curve.area)})")
        axes.plot(x, y, color=colour, label=labels[-1], drawstyle="steps-post" if len(x) < 60 else "default")
        data += [[curve.name, a, b] for a, b in zip(x, y, strict=True)]
    if parts is _ROC:
        axes.plot([0, 1], [0, 1], color=style.OTHER, linewidth=1, linestyle=":")
    if point is not None:
        threshold = words.number(0.5 if f.threshold is None else f.threshold)
        labels.append(f"decisions at threshold {threshold}")
        axes.plot(*point, "o", color=style.ORANGE, markersize=6, label=labels[-1], clip_on=False, zorder=5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.03)
    axes.set_aspect("equal")
    axes.set_xlabel(parts.x)
    axes.set_ylabel(parts.y)
    style.legend(axes, style.legend_columns(labels))
    says = (
        f"“{words.short(f.labels[1])}” against “{words.short(f.labels[0])}”." if len(f.classes) == 2 else ""
    )
    if many:
        middle = float(np.median([curve.area for curve in curves]))
        says = (
            f"One class against the rest, {len(curves):,} classes: the line is the median, the band the "
            f"middle 80 %, and the {_WORST} worst are named. Median {parts.short} {words.number(middle)}."
        )
    elif len(curves) > 1:
        says = "One class against the rest."
    return style.chart(drawn, parts.stem, parts.title, says, Table(("curve", parts.x, parts.y), data))


def _band(axes: Any, curves: Sequence[Curve], labels: list[str]) -> list[list[Any]]:
    """Median and middle 80 % of many curves."""
    heights = np.stack([np.interp(_GRID, curve.x, curve.y) for curve in curves])
    low, middle, high = np.quantile(heights, [0.1, 0.5, 0.9], axis=0)
    labels += ["middle 80 % of classes", "median class"]
    axes.fill_between(_GRID, low, high, color=style.BLUE, alpha=0.2, label=labels[0])
    axes.plot(_GRID, middle, color=style.BLUE, label=labels[1])
    series = {"10 % quantile": low, "median": middle, "90 % quantile": high}
    return [[name, a, b] for name, values in series.items() for a, b in zip(_GRID, values, strict=True)]


def thin(x: Floats, y: Floats, most: int = _POINTS) -> tuple[Floats, Floats]:
    """At most so many of a curve's points, evenly along its length, both ends kept."""
    if len(x) <= most:
        return x, y
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    keep = np.unique(np.searchsorted(along, np.linspace(0.0, along[-1], most)).clip(0, len(x) - 1))
    keep = np.union1d(keep, [0, len(x) - 1])
    return x[keep], y[keep]
