"""Rows that the model gets most wrong, with their raw values: there mistakes in the data show first."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainyard_trainer.report import words
from trainyard_trainer.report.chart import Listing, Section, Table
from trainyard_trainer.report.findings import Findings, Floats, Integers

_KEPT, _SHOWN, _COLUMNS, _TEXT = 100, 10, 8, 400


def section(f: Findings) -> Section | None:
    """The highest losses; of a classification also the surest mistakes of each kind."""
    order = np.argsort(-f.loss, kind="stable")[:_KEPT]
    listings = [_listing(f, order, "highest_loss", "Highest loss")]
    sentences = []
    if f.classification:
        wrong = np.flatnonzero(f.predicted != f.judged.target)
        if len(wrong):
            listings.append(
                _listing(
                    f,
                    _varied(f, wrong)[:_KEPT],
                    "misclassified",
                    "Misclassified: the surest of each kind first",
                )
            )
        else:
            sentences.append(f"No {f.part} row is misclassified.")
    sentences.append(
        "Row numbers count the rows that have a target, from 0. Wrong labels are often found here."
    )
    return Section("examples", "Where it fails", sentences, listings)


def _varied(f: Findings, wrong: Integers) -> Integers:
    """Mistakes ordered so that each (true, predicted) pair comes once before any comes again."""
    sure = f.judged.scores[wrong, f.predicted[wrong]]
    ordered = wrong[np.argsort(-sure, kind="stable")]
    pair = f.judged.target[ordered].astype(np.int64) * len(f.classes) + f.predicted[ordered]
    rounds = np.zeros(len(ordered), dtype=np.int64)
    grouped = np.argsort(pair, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(pair[grouped]) != 0]))
    lengths = np.diff(np.append(starts, len(grouped)))
    rounds[grouped] = np.arange(len(grouped)) - np.repeat(starts, lengths)
    return ordered[np.argsort(rounds, kind="stable")]


def _listing(f: Findings, rows: Integers, name: str, title: str) -> Listing:
    answer = _answers(f)
    columns = ("row", *answer, "loss", *f.ranked_features)
    data: list[list[Any]] = [
        [
            int(f.judged.numbers[row]),
            *(values[row] for values in answer.values()),
            float(f.loss[row]),
            *(_cell(f.columns[c][row]) for c in f.ranked_features if c in f.columns),
        ]
        for row in rows
    ]
    if not f.columns:
        columns = columns[: 2 + len(answer)]
    shown = columns[: 2 + len(answer) + _COLUMNS]
    left = len(columns) - len(shown)
    says = f"The {_COLUMNS} most important columns; {left:,} more in the file." if left > 0 else ""
    return Listing(name, title, Table(columns, data), _SHOWN, shown, says)


def _answers(f: Findings) -> dict[str, Any]:
    """Truth and answer of every row, by the heading they stand under."""
    if f.classification:
        scores = f.judged.scores
        here = np.arange(len(scores))
        target = f.judged.target.astype(np.int64)
        return {
            "true class": [f.labels[c] for c in target],
            "predicted": [f.labels[c] for c in f.predicted],
            "p(predicted)": scores[here, f.predicted],
            "p(true)": scores[here, target],
        }
    found: dict[str, Floats] = {}
    for i, name in enumerate(f.targets):
        of = f" {words.short(name)}" if len(f.targets) > 1 else ""
        found[f"true{of}"] = f.truth[:, i]
        found[f"predicted{of}"] = f.judged.scores[:, i]
    return found


def _cell(value: Any) -> Any:
    """A raw cell; long texts keep their beginning."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, int | float | bool) or value is None:
        return value
    text = str(value)
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"
