"""Made-up texts whose lengths are those of news, for figures that must not depend on whose words they are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLASSES = 5
WORDS, RESERVED = 10_000, 2
MEDIAN, SPREAD, LONGEST = 200, 0.5, 400


@dataclass(frozen=True)
class Prose:
    """What is timed: texts, and the network that reads them in both directions."""

    rows: int
    width: int
    hidden: int
    batch: int

    @property
    def name(self) -> str:
        """For a table."""
        return f"BiLSTM {self.hidden}, batches of {self.batch}"


@dataclass(frozen=True)
class Made:
    """Token numbers of each text, classes, and how many numbers there are, the two reserved included."""

    texts: list[NDArray[np.int64]]
    labels: NDArray[np.int64]
    vocabulary: int

    @property
    def digest(self) -> str:
        """Identity of the data, told by both contestants."""
        content = b"".join(text.tobytes() for text in (*self.texts, self.labels))
        return hashlib.sha256(content).hexdigest()[:16]


def make_prose(prose: Prose, seed: int = 7) -> Made:
    """Words by Zipf's law, with a few of each class's own; lengths are log-normal up to LONGEST."""
    generator = np.random.default_rng(seed)
    lengths = generator.lognormal(np.log(MEDIAN), SPREAD, prose.rows).clip(20, LONGEST).astype(int)
    labels = generator.integers(0, CLASSES, prose.rows)
    shares = 1.0 / np.arange(1, WORDS + 1)
    drawn = generator.choice(WORDS, lengths.sum(), p=shares / shares.sum())
    texts = []
    for text, label in zip(np.split(drawn, np.cumsum(lengths)[:-1]), labels, strict=True):
        own = generator.random(len(text)) < 0.05
        text[own] = label * 20 + generator.integers(0, 20, own.sum())
        texts.append(text)
    present = np.unique(np.concatenate(texts))
    return Made(
        [np.searchsorted(present, text) + RESERVED for text in texts], labels, len(present) + RESERVED
    )


def spoken(made: Made) -> list[str]:
    """The same as texts: a word for each number."""
    return [" ".join(f"w{token}" for token in text) for text in made.texts]
