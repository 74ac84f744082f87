"""Word vectors of our own, in GloVe's text format: what a job is given where no published ones can be had.

Positive pointwise mutual information of words within a window, and its leading singular vectors (Levy and
Goldberg, "Neural Word Embedding as Implicit Matrix Factorization", NIPS 2014; contexts smoothed by the power
3/4 and singular values by the power 1/2, as in Levy, Goldberg and Dagan, TACL 2015).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 0.75
NORM = 5.0  # of a vector, in the mean: as GloVe's are


def learn_vectors(
    texts: Sequence[Sequence[str]], width: int, window: int = 10, least: int = 3
) -> tuple[list[str], NDArray[np.float32]]:
    """Words that occur `least` times in these texts, most frequent first, and their vectors (words, width).

    Args:
        texts: Words of each text.
        width: Of a vector.
        window: How far apart two words may stand; nearer ones count more.
        least: Rarer words have no vector.
    """
    from scipy.sparse.linalg import svds

    counts = Counter(word for text in texts for word in text)
    words = [word for word, count in counts.most_common() if count >= least]
    information = _information(texts, {word: i for i, word in enumerate(words)}, window)
    start = np.random.default_rng(0).standard_normal(len(words))
    left, values, _ = svds(information, k=width, v0=start)
    vectors = left * np.sqrt(values)
    return words, (vectors * NORM / np.linalg.norm(vectors, axis=1).mean()).astype(np.float32)


def _information(texts: Sequence[Sequence[str]], places: dict[str, int], window: int) -> Any:
    """Positive pointwise mutual information of words (row) and their neighbours (column)."""
    from scipy.sparse import coo_array

    ids = [np.array([places[word] for word in text if word in places], dtype=np.int32) for text in texts]
    size = (len(places), len(places))
    pairs = coo_array(size, dtype=np.float32).tocsr()
    for gap in range(1, window + 1):
        one = np.concatenate([text[:-gap] for text in ids])
        other = np.concatenate([text[gap:] for text in ids])
        near = np.full(len(one), 1.0 / gap, dtype=np.float32)
        pairs = pairs + coo_array((near, (one, other)), shape=size).tocsr()
    found = (pairs + pairs.T).tocoo()
    of_word, of_context = found.sum(1), found.sum(0) ** SMOOTHING
    expected = of_word[found.row] * of_context[found.col] / of_context.sum()
    value = np.maximum(np.log(found.data / expected), 0.0).astype(np.float32)
    return coo_array((value, (found.row, found.col)), shape=size).tocsr()


def write_vectors(path: Path, words: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """A line for each word: the word and its numbers, with spaces between."""
    with path.open("w", encoding="utf-8") as file:
        for word, vector in zip(words, vectors, strict=True):
            file.write(" ".join([word, *(f"{value:.5f}" for value in vector)]) + "\n")
