"""What a column of texts gives away: texts that repeat each other, and words that are the label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.corpus import Corpus
from trainyard_trainer.data.table import Rows, Texts
from trainyard_trainer.data.target import Target

_ROWS, _LEAST, _WORDS = 2_000, 20, 5_000
_NEARLY = 0.99
"""Of a class's texts a word must be in more than this share, and in less than the rest of the others'."""


def repeated(column: Texts, target: Target) -> list[str]:
    """Rows that have the text of an earlier row, and equal texts with different classes, in words."""
    present = np.flatnonzero(column.codes >= 0)
    codes = column.codes[present]
    twins = len(codes) - len(np.unique(codes))
    if not twins:
        return []
    said = f"{twins} rows repeat the text of another row (but for white space); by hash they stay in one part"
    if not target.classes:
        return [said]
    labels = target.labels[present]
    lowest = np.full(len(column.words), np.iinfo(np.int64).max)
    highest = np.full(len(column.words), -1)
    np.minimum.at(lowest, codes, labels)
    np.maximum.at(highest, codes, labels)
    torn = int((highest > lowest).sum())
    return [said, f"{torn} texts occur with different labels, which no model can tell"] if torn else [said]


def telling_words(column: Texts, target: Target, rows: Rows) -> list[str]:
    """Words of which each is in nearly all texts of one class and in hardly any other; all classes but one.

    Such are labels that were left in their texts. Judged on at most 2,000 of the rows.
    """
    if not target.classes or len(rows) < _LEAST:
        return []
    rows = np.random.default_rng(0).permutation(rows)[:_ROWS]
    sample = column.take(rows)
    used = sample.used()
    recode = np.full(len(sample.words) + 1, -1, dtype=np.int32)
    recode[used] = np.arange(len(used))
    corpus = Corpus.of(Texts(tuple(sample.words[code] for code in used), recode[sample.codes]))
    inside, of_class = _texts_with(corpus, target.labels[rows], len(target.classes))
    outside = inside.sum(1, keepdims=True) - inside
    others = of_class.sum() - of_class
    tells = (inside > _NEARLY * of_class) & (outside < (1 - _NEARLY) * others) & (of_class >= _LEAST / 2)
    found = [int(tells[:, label].argmax()) for label in np.flatnonzero(tells.any(0))]
    return [corpus.words[word] for word in found] if len(found) >= len(target.classes) - 1 else []


def _texts_with(
    corpus: Corpus, labels: NDArray[np.int64], classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of each class with each raw word (words, classes), and rows of each class that have a text."""
    texts = len(corpus.starts) - 1
    times = np.zeros((texts, classes), dtype=np.int64)
    there = corpus.of_row >= 0
    np.add.at(times, (corpus.of_row[there], labels[there]), 1)
    text = np.repeat(np.arange(texts, dtype=np.int64), np.diff(corpus.starts))
    words = min(len(corpus.words), _WORDS)  # a label in its text is met early
    pairs = np.unique(text * len(corpus.words) + corpus.codes)
    text, word = np.divmod(pairs, len(corpus.words))
    kept = word < words
    found = np.zeros((words, classes), dtype=np.int64)
    np.add.at(found, word[kept], times[text[kept]])
    return found, np.bincount(labels[there], minlength=classes)
