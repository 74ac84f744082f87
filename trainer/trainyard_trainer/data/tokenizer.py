"""The tokenizer of a corpus, fitted on training rows: a vocabulary of words, or of pieces of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from trainyard_model.words import RESERVED_TOKENS, WORD_BEGIN, Normalise, is_symbol
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
    """A tokenizer of letters and of what byte pair encoding (Sennrich et al., 2016) joins most often.

    The library numbers letters of its own choice, and ends of words, in an order that changes from run to
    run: so the letters are chosen here, and a mark that is a letter like others says where a word begins.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    words = [" ".join(normalise.words(raw)) for raw in corpus.words]
    letters: Counter[str] = Counter({WORD_BEGIN: corpus.codes.size})
    for word, count in zip(words, corpus.counts(rows).tolist(), strict=True):
        for letter in word.replace(" ", ""):
            letters[letter] += count
    most = max(2, size // 2)
    chosen = sorted((x for x, count in letters.items() if count), key=lambda x: (-letters[x], x))[:most]
    tokenizer = Tokenizer(models.BPE(unk_token=_UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(WORD_BEGIN, "always")
    trainer = trainers.BpeTrainer(
        vocab_size=size + len(RESERVED_TOKENS),
        initial_alphabet=chosen,
        limit_alphabet=len(chosen),
        special_tokens=list(RESERVED_TOKENS),
        show_progress=False,
    )
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
