"""Rows that the model gets most wrong, with their raw values: there mistakes in the data show first."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainyard_trainer.report import pick
from trainyard_trainer.report.chart import Listing, Section, Table
from trainyard_trainer.report.findings import Findings, Integers

ROW_NUMBERS = "Row numbers count the rows that have a target, from 0. Wrong labels are often found here."
_KEPT, _COLUMNS, _TEXT = 100, 8, 400


def section(f: Findings) -> Section | None:
    """The highest losses; of a classification also the surest mistakes of each kind."""
    if f.inputs != "table":
        return None
    listings = [_listing(f, pick.worst(f, _KEPT), "highest_loss", "Highest loss")]
    sentences = []
    wrong = pick.mistaken(f, _KEPT)
    if len(wrong):
        title = "Misclassified: the surest of each kind first"
        listings.append(_listing(f, wrong, "misclassified", title))
    elif f.classification:
        sentences.append(f"No {f.part} row is misclassified.")
    return Section("examples", "Where it fails", [*sentences, ROW_NUMBERS], listings)


def _listing(f: Findings, rows: Integers, name: str, title: str) -> Listing:
    answer = pick.answers(f, rows)
    columns = ("row", *answer, "loss", *(f.ranked_features if f.columns else ()))
    data: list[list[Any]] = [
        [
            int(f.judged.numbers[row]),
            *(values[i] for values in answer.values()),
            float(f.loss[row]),
            *(_cell(f.columns[c][row]) for c in f.ranked_features if c in f.columns),
        ]
        for i, row in enumerate(rows)
    ]
    shown = columns[: 2 + len(answer) + _COLUMNS]
    left = len(columns) - len(shown)
    says = f"The {_COLUMNS} most important columns; {left:,} more in the file." if left > 0 else ""
    return Listing(name, title, Table(columns, data), pick.SHOWN["table"], shown, says)


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
