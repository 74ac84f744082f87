"""Whether a probability of 0.8 means eight in ten."""

from __future__ import annotations

import math

import numpy as np

from trainyard_trainer.report import style, words
from trainyard_trainer.report.chart import Section, Table
from trainyard_trainer.report.findings import Findings, Floats, Values

_BINS, _FEWEST = 10, 10
_SMALL = 0.02
_Z = 1.96


def bins(probabilities: Floats, right: Values) -> list[tuple[float, float, int, float, float]]:
    """Bins of equal numbers of rows: mean probability, share that came true, rows, and a 95 % interval.

    At most ten, and of ten rows at least, so that few rows make few bins instead of noise. The interval is
    Wilson's (1927), which does not leave 0 to 1.
    """
    count = max(1, min(_BINS, len(right) // _FEWEST))
    order = np.argsort(probabilities, kind="stable")
    found = []
    for rows in np.array_split(order, count):
        n, share = len(rows), float(right[rows].mean())
        centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
        found.append(
            (float(probabilities[rows].mean()), share, n, max(0.0, centre - half), min(1.0, centre + half))
        )
    return found


def section(f: Findings) -> Section | None:
    """Of two classes the positive one's probability; of more the probability of the class that is given."""
    if not f.classification:
        return None
    scores, target = f.judged.scores, f.judged.target
    if len(f.classes) == 2:
        said, right = scores[:, 1], target == 1
        x, y = f"probability of “{words.short(f.labels[1])}”", "share that is so"
    else:
        said, right = scores.max(1), scores.argmax(1) == target
        x, y = "probability of the likeliest class", "share that is right"
    found = bins(said, right)
    middle, share, _, low, high = (np.array(values) for values in zip(*found, strict=True))
    drawn, axes = style.figure(4.0)
    axes.plot([0, 1], [0, 1], color=style.OTHER, linewidth=1, linestyle=":", label="perfect")
    errors = np.stack([np.maximum(share - low, 0), np.maximum(high - share, 0)])
    axes.errorbar(
        middle, share, errors, color=style.BLUE, marker="o", markersize=4, linewidth=1.2, label="this model"
    )
    heights, edges = np.histogram(said, bins=40, range=(0, 1))
    axes.bar(edges[:-1], heights / heights.max() * 0.12, 1 / 40, align="edge", color=style.OTHER, alpha=0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.01, 1.03)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    style.legend(axes, 2)
    columns = ("mean probability", "share", "rows", "low", "high")
    says = "Bars are 95 % intervals; the grey strip below shows where the probabilities lie."
    chart = style.chart(
        drawn, "calibration", "Calibration", says, Table(columns, [list(row) for row in found])
    )
    return Section("calibration", "Whether its probabilities can be believed", [verdict(f, found)], [chart])


def verdict(f: Findings, found: list[tuple[float, float, int, float, float]]) -> str:
    """Too sure, too unsure, or believable.

    From bins whose interval excludes their mean probability; of ten, one or two do so by chance.
    """
    total = sum(rows for _, _, rows, _, _ in found)
    if total < 5 * _FEWEST:
        return f"{words.count(total, f'{f.part} row')} cannot show whether the probabilities are right."
    off = [b for b in found if not b[3] <= b[0] <= b[4]]
    gap = sum(abs(p - s) * n for p, s, n, _, _ in found) / total
    if 4 * len(off) < len(found) or gap < _SMALL:
        return f"The probabilities can be taken at their word: they miss by {words.share(gap)} on average."
    outward = sum(n * (p - s) * (1.0 if p > 0.5 else -1.0) for p, s, n, _, _ in off)
    if len(f.classes) > 2:
        outward = sum(n * (p - s) for p, s, n, _, _ in off)
    way = "too sure of themselves" if outward > 0 else "too cautious"
    one_way = {math.copysign(1.0, p - s) for p, s, _, _, _ in off}
    if len(f.classes) == 2 and len(one_way) == 1:
        way = "too high" if off[0][0] > off[0][1] else "too low"
    return (
        f"The probabilities are {way}: they miss by {words.share(gap)} on average. "
        "Do not read them as frequencies without recalibration."
    )
