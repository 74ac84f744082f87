"""Which rows are worth showing, and what is said beside each; the same for tables, texts and images."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainyard_trainer.report import words
from trainyard_trainer.report.findings import Findings, Integers

_RANDOM_ROWS = {"table": 500, "text": 24, "image": 96}  # an attribution by gradients takes many passes a row
SHOWN = {"table": 10, "text": 8, "image": 16}


def to_explain(f: Findings, seed: int = 0) -> Integers:
    """Judged rows to explain: of a table a random part; else first those that are going to be shown."""
    count, most = len(f.judged), _RANDOM_ROWS[f.inputs]
    random = np.arange(count)
    if count > most:
        random = np.random.default_rng(seed).choice(count, most, replace=False)
    if f.inputs == "table":
        return np.sort(random) if f.classification else np.empty(0, dtype=np.int64)
    shown = SHOWN[f.inputs]
    wanted = np.concatenate([mistaken(f, shown), surest(f), worst(f, shown), random])
    _, first = np.unique(wanted, return_index=True)
    return wanted[np.sort(first)]


def worst(f: Findings, most: int) -> Integers:
    """Rows of the highest loss, the highest first."""
    return np.argsort(-f.loss, kind="stable")[:most]


def mistaken(f: Findings, most: int) -> Integers:
    """Misclassified rows, ordered so that each (true, predicted) pair comes once before any comes again."""
    if not f.classification:
        return np.empty(0, dtype=np.int64)
    wrong = np.flatnonzero(f.predicted != f.judged.target)
    if not len(wrong):
        return wrong
    sure = f.judged.scores[wrong, f.predicted[wrong]]
    ordered = wrong[np.argsort(-sure, kind="stable")]
    pair = f.judged.target[ordered].astype(np.int64) * len(f.classes) + f.predicted[ordered]
    rounds = np.zeros(len(ordered), dtype=np.int64)
    grouped = np.argsort(pair, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(pair[grouped]) != 0]))
    lengths = np.diff(np.append(starts, len(grouped)))
    rounds[grouped] = np.arange(len(grouped)) - np.repeat(starts, lengths)
    return ordered[np.argsort(rounds, kind="stable")][:most]


def surest(f: Findings, classes: int = 6) -> Integers:
    """Of up to so many classes the row that is given its class with the highest probability."""
    if not f.classification:
        return np.empty(0, dtype=np.int64)
    right = np.flatnonzero(f.predicted == f.judged.target)
    sure = f.judged.scores[right, f.predicted[right]]
    ordered = right[np.argsort(-sure, kind="stable")]
    _, first = np.unique(f.predicted[ordered], return_index=True)
    return ordered[np.sort(first)][:classes]


def answers(f: Findings, rows: Integers) -> dict[str, Any]:
    """Truth and answer of these rows, by the heading they stand under."""
    if f.classification:
        scores, target = f.judged.scores, f.judged.target[rows].astype(np.int64)
        return {
            "true class": [f.labels[c] for c in target],
            "predicted": [f.labels[c] for c in f.predicted[rows]],
            "p(predicted)": scores[rows, f.predicted[rows]],
            "p(true)": scores[rows, target],
        }
    found: dict[str, Any] = {}
    for i, name in enumerate(f.targets):
        of = f" {words.short(name)}" if len(f.targets) > 1 else ""
        found[f"true{of}"] = f.truth[rows, i]
        found[f"predicted{of}"] = f.judged.scores[rows, i]
    return found


def said(f: Findings, row: int, most: int = 60) -> tuple[str, str]:
    """Truth and answer of one row in two texts of so many columns at most; of several targets the first."""
    if f.classification:
        given = f.predicted[row]
        sure = f"({words.number(round(float(f.judged.scores[row, given]), 2))})"
        true = words.short(f.labels[int(f.judged.target[row])], most)
        return true, f"{words.short(f.labels[given], most - len(sure) - 1)} {sure}"
    return words.number(float(f.truth[row, 0])), words.number(float(f.judged.scores[row, 0]))


def right(f: Findings, row: int) -> bool:
    """Whether a row is given its class."""
    return f.classification and bool(f.predicted[row] == f.judged.target[row])
