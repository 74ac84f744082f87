"""Texts to the tokens that a network reads, fitted on training rows, and what people should know of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainyard_model.preprocess import TextPreprocessor
from trainyard_model.schema import Schema
from trainyard_model.words import PADDING, RESERVED_TOKENS, UNKNOWN, Words
from trainyard_trainer.data import cleaning, memory, tokenizer
from trainyard_trainer.data.cleaning import Step
from trainyard_trainer.data.corpus import Corpus, Ragged
from trainyard_trainer.data.settings import TextSettings
from trainyard_trainer.data.split import Parts
from trainyard_trainer.data.table import Rows
from trainyard_trainer.data.vectors import Vectors
from trainyard_trainer.errors import DataError

_SMALL = 0.1
_BINS = 20
_WORTH_SAYING = 0.01
_STEPS = {
    "lower": "lower-cased",
    "contractions": "contractions in full",
    "strip_apostrophes": "without apostrophes and what follows",
    "drop_unknown_symbols": "without symbols that are not known",
}


@dataclass(frozen=True, slots=True)
class FittedText:
    """What training takes of a text column.

    Attributes:
        preprocessor: Goes into the package.
        tokens: Of every text, as the preprocessor would give them, but uncut.
        vectors: To start the embedding from, float32 (vocabulary, width), or None.
        coverage: What is known of the texts, for the report.
        notices: The same in words, where it is worth saying.
    """

    preprocessor: TextPreprocessor
    tokens: Ragged
    vectors: NDArray[np.float32] | None
    coverage: Mapping[str, Any]
    notices: tuple[str, ...]

    def inputs(self, rows: Rows) -> tuple[NDArray[np.int32]]:
        """Tokens of some rows, (rows, L) with L the longest of them."""
        fitted = self.preprocessor
        return (self.tokens.padded(rows, fitted.max_length, fitted.padding, fitted.truncation),)

    def lengths(self, rows: Rows) -> NDArray[np.int32]:
        """Tokens that are read of each of some rows."""
        return np.minimum(self.tokens.lengths(rows), self.preprocessor.max_length).astype(np.int32)


def fit_text(
    corpus: Corpus, schema: Schema, parts: Parts, settings: TextSettings, vectors: Vectors | None, seed: int
) -> FittedText:
    """Clean-up, vocabulary and the start of the embedding from the training rows.

    Raises:
        DataError: No training row has a word, the vocabulary does not fit into memory, or no word of it has a
            vector.
    """
    known = None if vectors is None else vectors.row
    normalise, steps = cleaning.choose(corpus, parts.train, settings, known)
    counts = cleaning.cleaned(corpus, corpus.counts(parts.train), normalise)
    if not counts:
        raise DataError("no training row has a word to learn from", "check the data and data.text.stopWords")
    size = settings.vocabulary_size
    words = tokenizer.words_of(counts, size, normalise, known) if settings.tokenizer == "Word" else []
    _check_memory(len(words) or size, vectors, settings)
    content = (
        tokenizer.of_words(words) if words else tokenizer.of_pieces(corpus, parts.train, normalise, size)
    )
    by_word = Words(content, normalise)
    tokens = corpus.encode([by_word.tokens_of(raw) for raw in corpus.words])
    fitted = TextPreprocessor(
        schema, content, settings.max_length, settings.padding, settings.truncation, normalise
    )
    coverage = _coverage(tokens, parts, by_word.vocabulary, settings)
    coverage["normalise"] = {step.name: _step_json(step) for step in steps}
    matrix = None
    if vectors is not None:
        coverage["vectors"] = _vector_coverage(words, counts, vectors)
        matrix = start(words, vectors, seed)
    return FittedText(fitted, tokens, matrix, coverage, tuple(_notices(coverage, steps, corpus, parts)))


def start(words: list[str], vectors: Vectors, seed: int) -> NDArray[np.float32]:
    """Vectors of a vocabulary, the reserved tokens first: padding is 0, what has no vector small and random.

    Small, a tenth of the others' spread: a word of which nothing is known should say little.
    """
    rows = len(RESERVED_TOKENS) + len(words)
    spread = _SMALL * float(vectors.matrix.std())
    matrix = np.random.default_rng(seed).normal(0.0, spread, (rows, vectors.width)).astype(np.float32)
    matrix[PADDING] = 0.0
    for i, word in enumerate(words, start=len(RESERVED_TOKENS)):
        if (row := vectors.row.get(word)) is not None:
            matrix[i] = vectors.matrix[row]
    return matrix


def _check_memory(size: int, vectors: Vectors | None, settings: TextSettings) -> None:
    """Refuse a vocabulary whose vectors would not fit, before anything of it is made."""
    width = settings.width if vectors is None else vectors.width
    if width is None:
        return
    trained = settings.vectors is None or settings.vectors.trainable
    memory.check(
        memory.need_of_vocabulary(size, width, trained),
        memory.share_bytes(),
        f"a vocabulary of {size:,} tokens with {width} numbers each",
        "lower data.text.vocabularySize or the model's embeddingSize, or raise "
        "compute.resources.limits.memory",
    )


def _coverage(tokens: Ragged, parts: Parts, vocabulary: int, settings: TextSettings) -> dict[str, Any]:
    """Facts of the training texts, and of those that do not train the share of unknown tokens."""
    lengths = tokens.lengths(parts.train)
    held_out = np.concatenate([parts.validation, parts.test])
    counts, edges = np.histogram(lengths, _BINS, (0, max(_BINS, int(np.quantile(lengths, 0.99)) + 1)))
    counts[-1] += len(lengths) - int(counts.sum())
    return {
        "rows": len(lengths),
        "tokens": int(lengths.sum()),
        "vocabulary": vocabulary,
        "unknownShare": _unknown(tokens, parts.train),
        "heldOutUnknownShare": _unknown(tokens, held_out) if len(held_out) else None,
        "maxLength": settings.max_length,
        "truncatedShare": float((lengths > settings.max_length).mean()),
        "lengths": {
            "median": float(np.median(lengths)),
            "longest": int(lengths.max()),
            "edges": edges.tolist(),
            "counts": counts.tolist(),
        },
    }


def _unknown(tokens: Ragged, rows: Rows) -> float:
    """Share of unknown tokens of some rows."""
    texts = tokens.of_row[rows]
    unknown = np.add.reduceat(np.append(tokens.values == UNKNOWN, False), tokens.starts)
    total = int(tokens.lengths(rows).sum())
    return (int(unknown[texts[texts >= 0]].sum()) + int((texts < 0).sum())) / max(total, 1)


def _vector_coverage(words: list[str], counts: cleaning.Words, vectors: Vectors) -> dict[str, Any]:
    """Shares of the vocabulary, and of its occurrences in the training rows, that have a vector.

    Raises:
        DataError: None has.
    """
    found = [word for word in words if word in vectors.row]
    if not found:
        raise DataError(
            f"none of the {len(words)} words of the vocabulary has a vector, such as '{words[0]}'",
            "check that data.text.vectors are of the texts' language, and data.text.normalise",
        )
    total = sum(counts[word] for word in words)
    return {
        "width": vectors.width,
        "types": len(found) / len(words),
        "tokens": sum(counts[word] for word in found) / total,
        "missing": [word for word in words if word not in vectors.row][:20],
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {"chosen": step.chosen, "knownWithout": step.before, "knownWith": step.after}


def _notices(coverage: Mapping[str, Any], steps: list[Step], corpus: Corpus, parts: Parts) -> list[str]:
    """What people should know of their texts, in words."""
    chosen = [
        f"{_STEPS[step.name]} (known words {step.before:.1%} -> {step.after:.1%})"
        for step in steps
        if step.chosen and step.before is not None
    ]
    said = (
        [f"inferred: texts are {', '.join(chosen)}; data.text.normalise decides otherwise"] if chosen else []
    )
    if without := _without_text(corpus, parts):
        said.append(f"{without} rows have no text and are read as one unknown word")
    if (share := coverage["truncatedShare"]) >= _WORTH_SAYING:
        lengths = coverage["lengths"]
        said.append(
            f"{share:.0%} of the texts are longer than data.text.maxLength {coverage['maxLength']} and cut "
            f"(half have at most {lengths['median']:.0f} tokens, the longest {lengths['longest']})"
        )
    unknown = coverage["heldOutUnknownShare"]
    if unknown is not None and unknown >= _WORTH_SAYING:
        said.append(f"{unknown:.1%} of the tokens of validation and test texts are unknown to training")
    if vectors := coverage.get("vectors"):
        said.append(
            f"vectors are known of {vectors['types']:.1%} of the vocabulary, "
            f"{vectors['tokens']:.1%} of the training words"
        )
    return said


def _without_text(corpus: Corpus, parts: Parts) -> int:
    empty = np.append(np.diff(corpus.starts) == 0, True)
    rows = np.concatenate([parts.train, parts.validation, parts.test])
    return int(empty[corpus.of_row[rows]].sum())
