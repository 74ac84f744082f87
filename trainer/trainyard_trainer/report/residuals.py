"""How far predicted values are from the true ones, and whether the distance has a pattern."""

from __future__ import annotations

import numpy as np

from trainyard_trainer.report import style, words
from trainyard_trainer.report.chart import Chart, Section, Table
from trainyard_trainer.report.findings import Findings, Floats

_TARGETS, _POINTS = 6, 2000


def section(f: Findings) -> Section | None:
    """Of each target, predicted against true and residuals; of many targets those explained least."""
    if f.classification:
        return None
    explained = r_squared(f.truth, f.judged.scores)
    order = [int(i) for i in np.argsort(np.nan_to_num(explained, nan=-np.inf), kind="stable")]
    chosen = sorted(order[:_TARGETS])
    sentences = [_summary(f, i) for i in chosen]
    if len(chosen) < len(f.targets):
        sentences.append(f"The {len(chosen)} least explained of {len(f.targets):,} targets are drawn.")
    few, sampled = f.sampled(_POINTS)
    if sampled:
        sentences.append(f"Scatter: {sampled[0].lower()}{sampled[1:]}")
    charts: list[Chart] = []
    for i in chosen:
        suffix = f"_{i + 1:02d}_{words.slug(f.targets[i])}" if len(f.targets) > 1 else ""
        charts += [_scatter(few, i, suffix), _residuals(f, i, suffix)]
    return Section("residuals", "How far it is off", sentences, charts)


def r_squared(truth: Floats, predicted: Floats) -> Floats:
    """Share of each target's variance that is explained; NaN for a target that does not vary."""
    spread = ((truth - truth.mean(0)) ** 2).sum(0)
    left = ((truth - predicted) ** 2).sum(0)
    shares: Floats = np.divide(left, spread, out=np.full_like(spread, np.nan), where=spread > 0)
    return 1.0 - shares


def _summary(f: Findings, i: int) -> str:
    error = f.judged.scores[:, i] - f.truth[:, i]
    name = f"“{words.short(f.targets[i])}”"
    half = float(np.median(np.abs(error)))
    said = f"{name}: half of the answers are within {words.number(half)} of the truth"
    said += f", 90 % within {words.number(float(np.quantile(np.abs(error), 0.9)))}."
    doubt = float(error.std(ddof=1) / np.sqrt(len(error))) if len(error) > 1 else np.inf
    bias = float(error.mean())
    if abs(bias) > 3 * doubt:
        said += f" They are {words.number(abs(bias))} too {'high' if bias > 0 else 'low'} on average."
    value = float(r_squared(f.truth[:, [i]], f.judged.scores[:, [i]])[0])
    if np.isfinite(value):
        said += f" R² is {words.number(value)}."
    return said


def _title(f: Findings, text: str, i: int) -> str:
    return f"{text}: {words.short(f.targets[i], 40)}" if len(f.targets) > 1 else text


def _scatter(f: Findings, i: int, suffix: str) -> Chart:
    true, predicted = f.truth[:, i], f.judged.scores[:, i]
    drawn, axes = style.figure(4.3)
    low, high = min(true.min(), predicted.min()), max(true.max(), predicted.max())
    axes.plot([low, high], [low, high], color=style.OTHER, linewidth=1, linestyle=":")
    size, alpha = (18, 0.8) if len(true) < 200 else (8, 0.4)
    axes.scatter(
        true, predicted, s=size, alpha=alpha, color=style.BLUE, linewidths=0, rasterized=len(true) > 500
    )
    axes.set_xlabel(f"true {words.short(f.targets[i], 34)}")
    axes.set_ylabel("predicted")
    table = Table(
        ("row", "true", "predicted"), [list(x) for x in zip(f.judged.numbers, true, predicted, strict=True)]
    )
    title = _title(f, "Predicted and true", i)
    return style.chart(drawn, f"predicted_true{suffix}", title, "On the dotted line they are equal.", table)


def _residuals(f: Findings, i: int, suffix: str) -> Chart:
    """Predicted minus true: its distribution over rows, in the middle 99 %."""
    error = f.judged.scores[:, i] - f.truth[:, i]
    low, high = np.quantile(error, [0.005, 0.995])
    if low == high:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    count = int(np.clip(np.sqrt(len(error)) * 1.5, 3, 40))
    heights, bounds = np.histogram(np.clip(error, low, high), bins=count, range=(float(low), float(high)))
    drawn, axes = style.figure(2.8)
    axes.stairs(heights, bounds, fill=True, color=style.BLUE, alpha=0.75)
    axes.axvline(0, color=style.MUTED, linewidth=1, linestyle=":")
    axes.axvline(float(error.mean()), color=style.ORANGE, linewidth=1.4, label="mean")
    axes.set_xlabel("predicted minus true")
    axes.set_ylabel("rows")
    style.whole(axes.yaxis)
    style.legend(axes)
    table = Table(
        ("from", "to", "rows"), [list(x) for x in zip(bounds[:-1], bounds[1:], heights, strict=True)]
    )
    says = "The outermost bars hold what lies beyond."
    return style.chart(drawn, f"residuals{suffix}", _title(f, "Residuals", i), says, table)
