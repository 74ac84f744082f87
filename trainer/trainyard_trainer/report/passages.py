"""Texts that the model gets wrong, and right, with the words that counted marked in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainyard_trainer.report import pick
from trainyard_trainer.report.chart import Passage, Passages, Section, Table
from trainyard_trainer.report.examples import ROW_NUMBERS
from trainyard_trainer.report.findings import Findings, Integers

_KEPT, _TEXT, _WINDOW = 100, 4000, 600
Word = Mapping[str, Any]


def section(f: Findings) -> Section | None:
    """Mistakes, highest losses, and of each class the text that it is surest of."""
    if f.inputs != "text" or not f.columns:
        return None
    sentences = [_legend(f)] if f.explanations else []
    wrong = pick.mistaken(f, _KEPT)
    blocks = []
    if len(wrong):
        blocks.append(_passages(f, wrong, "misclassified", "Misclassified: the surest of each kind first"))
    elif f.classification:
        sentences.append(f"No {f.part} row is misclassified.")
    blocks.append(_passages(f, pick.worst(f, _KEPT), "highest_loss", "Highest loss", folded=bool(len(wrong))))
    if len(sure := pick.surest(f)):
        title = "Surely right: of each class the text that it is surest of"
        blocks.append(_passages(f, sure, "surest", title, folded=True))
    return Section("examples", "Where it fails", [*sentences, ROW_NUMBERS], blocks)


def _legend(f: Findings) -> str:
    signed = any(w["weight"] < 0 for row in _explained(f).values() for w in row)
    against = ", blue ones against it" if signed else ""
    return f"Orange words speak for the answer that was given{against}; the stronger the colour, the more."


def _explained(f: Findings) -> dict[int, Sequence[Word]]:
    """Words by judged row."""
    if f.explanations is None or f.explained is None:
        return {}
    (column,) = f.explanations.values()
    return {int(row): column[i] for i, row in enumerate(f.explained)}


def _passages(f: Findings, rows: Integers, name: str, title: str, folded: bool = False) -> Passages:
    (texts,) = f.columns.values()
    answers, known = pick.answers(f, rows), _explained(f)
    cells = ["" if texts[row] is None else str(texts[row]) for row in rows]
    data = [
        [int(f.judged.numbers[row]), *(v[i] for v in answers.values()), float(f.loss[row]), cells[i][:_TEXT]]
        for i, row in enumerate(rows)
    ]
    shown = [
        Passage(_heading(f, int(row)), spans(cell, known.get(int(row), ())))
        for row, cell in zip(rows[: pick.SHOWN["text"]], cells, strict=False)
    ]
    table = Table(("row", *answers, "loss", next(iter(f.columns))), data)
    return Passages(name, title, table, shown, folded=folded)


def _heading(f: Findings, row: int) -> str:
    true, given = pick.said(f, row)
    where = f"row {int(f.judged.numbers[row]):,}"
    if not f.classification:
        return f"true {true}, predicted {given} · {where}"
    return f"{given} · {where}" if pick.right(f, row) else f"{true}, taken for {given} · {where}"


def spans(text: str, found: Sequence[Word], most: int = _WINDOW) -> list[tuple[str, float]]:
    """The text in pieces with the weight of each relative to the largest: words, and what is between them.

    Of a long text the part of `most` characters in which the words count most; an ellipsis stands for the
    rest.
    """
    ordered = sorted(found, key=lambda word: int(word["start"]))
    first, last = _window(text, ordered, most)
    largest = max((abs(float(word["weight"])) for word in ordered), default=0.0) or 1.0
    pieces: list[tuple[str, float]] = [("… ", 0.0)] if first > 0 else []
    at = first
    for word in ordered:
        start, end = int(word["start"]), int(word["end"])
        if start < at or end > last or end <= start:
            continue
        pieces += [(text[at:start], 0.0), (text[start:end], float(word["weight"]) / largest)]
        at = end
    pieces.append((text[at:last], 0.0))
    if last < len(text):
        pieces.append((" …", 0.0))
    return [piece for piece in pieces if piece[0]]


def _window(text: str, ordered: Sequence[Word], most: int) -> tuple[int, int]:
    """First and last character of the part to show; it begins with a word."""
    if len(text) <= most:
        return 0, len(text)
    if not ordered:
        return 0, most
    starts, ends = (np.array([int(word[side]) for word in ordered]) for side in ("start", "end"))
    total = np.concatenate([[0.0], np.cumsum([abs(float(word["weight"])) for word in ordered])])
    beyond = np.searchsorted(ends, starts + most, side="right")
    best = int(np.argmax(total[np.maximum(beyond, np.arange(len(starts)))] - total[:-1]))
    first = 0 if starts[best] < most // 4 else int(starts[best])
    return first, min(len(text), first + most)
