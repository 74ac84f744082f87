"""The tokenizer of a corpus, fitted on training rows: a vocabulary of words, or of pieces of words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from trainyard_model.words import RESERVED_TOKENS, WORD_END, Normalise, is_symbol
from trainyard_trainer.data import cleaning
from trainyard_trainer.data.corpus import Corpus
from trainyard_trainer.data.table import Rows

_UNKNOWN = RESERVED_TOKENS[1]


def of_words(words: Sequence[str]) -> bytes:
    """A tokenizer of these words, whose numbers follow the reserved ones in this order."""
    from tokenizers import Tokenizer, models

    numbers = {word: i for i, word in enumerate([*RESERVED_TOKENS, *words])}
    return _json(Tokenizer(models.WordLevel(numbers, unk_token=_UNKNOWN)))


def of_pieces(corpus: Corpus, rows: Rows, normalise: Normalise, size: int) -> bytes:
    """A tokenizer of letters and of what byte pair encoding (Sennrich et al., 2016) joins most often."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=_UNKNOWN, end_of_word_suffix=WORD_END))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # words come one by one, but here in texts
    trainer = trainers.BpeTrainer(
        vocab_size=size + len(RESERVED_TOKENS),
        limit_alphabet=max(1, size // 2),
        special_tokens=list(RESERVED_TOKENS),
        end_of_word_suffix=WORD_END,
        show_progress=False,
    )
    words = [" ".join(normalise.words(raw)) for raw in corpus.words]
    tokenizer.train_from_iterator(corpus.texts(rows, words), trainer)
    return _json(tokenizer)


def words_of(
    counts: cleaning.Words, size: int, normalise: Normalise, vectors: Collection[str] | None
) -> list[str]:
    """The words of a vocabulary: the most frequent ones.

    With vectors, and unknown symbols to be left out, a symbol without a vector is unknown.
    """
    if vectors is not None and normalise.drop_unknown_symbols:
        counts = {w: n for w, n in counts.items() if w in vectors or not is_symbol(w)}
    return cleaning.frequent(counts, size, vectors or ())


def _json(tokenizer: Any) -> bytes:
    text: str = tokenizer.to_str()
    return text.encode()
