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
    own = generator.random(len(drawn)) < 0.05
    drawn[own] = (np.repeat(labels, lengths) * 20 + generator.integers(0, 20, len(drawn)))[own]
    drawn[np.bincount(drawn)[drawn] == 1] = 0  # what occurs once makes no vocabulary
    present, tokens = np.unique(drawn, return_inverse=True)
    texts = np.split(tokens + RESERVED, np.cumsum(lengths)[:-1])
    return Made(texts, labels, len(present) + RESERVED)


def spoken(made: Made) -> list[str]:
    """The same as texts: a word for each number."""
    return [" ".join(f"w{token}" for token in text) for text in made.texts]
