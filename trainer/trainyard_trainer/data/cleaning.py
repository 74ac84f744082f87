"""Which clean-up of words is worth what it loses: chosen by how many words it makes known.

Every clean-up throws something away (case, for one, tells names from words), so one is chosen only where it
brings at least WORTH of all words into what is known: the words of pretrained vectors where there are any,
else a vocabulary of four fifths of the training texts, judged by the other fifth.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from trainyard_model.words import Normalise, is_symbol
from trainyard_trainer.data.corpus import Corpus, Counts
from trainyard_trainer.data.settings import TextSettings
from trainyard_trainer.data.table import Rows

WORTH = 0.001
STEPS = ("lower", "contractions", "strip_apostrophes", "drop_unknown_symbols")
_EVERY = 5
Words = Mapping[str, int]
"""Words and how often they occur."""


@dataclass(frozen=True, slots=True)
class Step:
    """What was decided of one clean-up, and the share of known words without and with it; None if told."""

    name: str
    chosen: bool
    before: float | None = None
    after: float | None = None


def choose(
    corpus: Corpus, rows: Rows, settings: TextSettings, vectors: Collection[str] | None
) -> tuple[Normalise, list[Step]]:
    """The clean-up: as told, and what is silent by coverage, one after the other.

    Args:
        corpus: Of all rows.
        rows: Those that train.
        settings: What was told.
        vectors: Words that have a vector, or None.
    """
    known = _vocabulary(corpus, rows, settings, vectors)
    chosen, steps = told(settings), []
    now = known(chosen)
    for name in STEPS:
        if getattr(settings, name) is not None:
            steps.append(Step(name, bool(getattr(settings, name))))
            continue
        more = _with(chosen, {name: True})
        then = known(more)
        worth = then - now >= WORTH
        steps.append(Step(name, worth, now, then))
        if worth:
            chosen, now = more, then
    return chosen, steps


def told(settings: TextSettings) -> Normalise:
    """What was told; what is silent is off."""
    stop_words = frozenset(word.lower().replace("’", "'") for word in settings.stop_words)
    return _with(Normalise(stop_words=stop_words), {name: bool(getattr(settings, name)) for name in STEPS})


def possible(settings: TextSettings) -> list[Normalise]:
    """Every clean-up of words that may be chosen."""
    silent = [name for name in STEPS[:3] if getattr(settings, name) is None]
    return [
        _with(told(settings), dict(zip(silent, each, strict=True)))
        for each in product((False, True), repeat=len(silent))
    ]


def _with(normalise: Normalise, steps: dict[str, Any]) -> Normalise:
    return replace(normalise, **steps)


def cleaned(corpus: Corpus, counts: Counts, normalise: Normalise) -> dict[str, int]:
    """How often each word occurs once the raw words are cleaned; those that do not occur are left out."""
    words: dict[str, int] = {}
    for code in np.flatnonzero(counts).tolist():
        for word in normalise.words(corpus.words[code]):
            words[word] = words.get(word, 0) + int(counts[code])
    return words


def frequent(words: Words, size: int, always: Collection[str] = ()) -> list[str]:
    """The most frequent words, at most `size`; of equally frequent ones the first in the alphabet.

    A word that occurs once teaches nothing but what an unknown word is like: it is left out, unless it has a
    meaning already, or all words are such.
    """
    kept = [word for word, count in words.items() if count > 1 or word in always] or list(words)
    return sorted(kept, key=lambda word: (-words[word], word))[:size]


def _vocabulary(
    corpus: Corpus, rows: Rows, settings: TextSettings, vectors: Collection[str] | None
) -> Callable[[Normalise], float]:
    """How the share of known words is found."""
    if vectors is not None:
        counts = corpus.counts(rows)
        return lambda normalise: share(cleaned(corpus, counts, normalise), vectors, normalise)
    held_out = corpus.of_row[rows] % _EVERY == 0
    fitting, judging = corpus.counts(rows[~held_out]), corpus.counts(rows[held_out])

    def known(normalise: Normalise) -> float:
        vocabulary = frozenset(frequent(cleaned(corpus, fitting, normalise), settings.vocabulary_size))
        return share(cleaned(corpus, judging, normalise), vocabulary, normalise)

    return known


def share(words: Words, known: Collection[str], normalise: Normalise) -> float:
    """Of all occurrences of words, the share of those that are known; 0 where there is no word."""
    total = found = 0
    for word, count in words.items():
        if word in known:
            found += count
        elif normalise.drop_unknown_symbols and is_symbol(word):
            continue
        total += count
    return found / total if total else 0.0
