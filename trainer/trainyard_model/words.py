"""Texts to tokens: one rule for training, evaluation and serving.

A text is cut into raw words by one regular expression. Each distinct raw word is cleaned up and given to the
tokenizer once, whatever number of texts it occurs in: a text costs a search and a look-up per word, and every
token knows which characters of the text it came from, which is what explanations need.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

PADDING, UNKNOWN = 0, 1
RESERVED_TOKENS = ("[PAD]", "[UNK]")
RAW = re.compile(r"[\w\u0300-\u036f]+(?:['’][\w\u0300-\u036f]+)*|[^\w\s]")
"""A word with what hangs on it by apostrophes, or one symbol. Accents may be characters of their own."""
WORD_BEGIN = "▁"
"""Marks the first piece of a word in a vocabulary of pieces."""
_REMEMBERED, _LONG = 200_000, 64
_NOT = {"ca": "can", "wo": "will", "sha": "shall", "ai": "is"}
_SHORT = {"re": "are", "ve": "have", "ll": "will", "m": "am", "d": "would"}
_IS = frozenset({"it", "he", "she", "that", "what", "who", "where", "when", "why", "there", "here", "how"})


@dataclass(frozen=True, slots=True)
class Normalise:
    """Clean-up of a word before it is looked up.

    Attributes:
        lower: Lower-case.
        contractions: don't becomes do not; 's is "is" only after words like it and that.
        strip_apostrophes: Remove an apostrophe and what follows: Blair's becomes Blair.
        drop_unknown_symbols: Leave out symbols that the vocabulary does not have; else each is unknown.
        stop_words: Words to leave out in whatever case; in lower case here.
    """

    lower: bool = False
    contractions: bool = False
    strip_apostrophes: bool = False
    drop_unknown_symbols: bool = False
    stop_words: frozenset[str] = frozenset()

    def words(self, raw: str) -> list[str]:
        """The words that a raw word (one match of RAW) stands for."""
        word = raw if raw.isascii() else unicodedata.normalize("NFC", raw).replace("’", "'")
        if word.lower() in self.stop_words:
            return []
        if self.lower:
            word = word.lower()
        if "'" not in word[1:]:
            return [word]
        words = expanded(word) if self.contractions else [word]
        if self.strip_apostrophes:
            words = [word.partition("'")[0] for word in words]
        return [word for word in words if word.lower() not in self.stop_words]

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives an equal object back."""
        return {**asdict(self), "stop_words": sorted(self.stop_words)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Normalise:
        """The inverse of `to_json`."""
        return cls(**{**value, "stop_words": frozenset(value["stop_words"])})


def expanded(word: str) -> list[str]:
    """A contraction in full; any other word as it is."""
    stem, _, end = word.rpartition("'")
    low, ending = stem.lower(), end.lower()
    if ending == "t" and low.endswith("n") and len(low) > 1:
        return [_NOT.get(low[:-1], stem[:-1]), "not"]
    if ending in _SHORT:
        return [stem, _SHORT[ending]]
    if ending == "s" and low in _IS:
        return [stem, "is"]
    if ending == "s" and low == "let":
        return [stem, "us"]
    return [word]


def is_symbol(word: str) -> bool:
    """Whether a word is a single symbol rather than letters or digits."""
    return len(word) == 1 and not (word.isalnum() or word == "_")


class Words:
    """How texts become tokens.

    Args:
        tokenizer: A model of the `tokenizers` library as its JSON; it gets single words.
        normalise: Clean-up of each word.
    """

    def __init__(self, tokenizer: bytes, normalise: Normalise) -> None:
        from tokenizers import Tokenizer

        self.normalise = normalise
        self._tokenizer: Any = Tokenizer.from_str(tokenizer.decode())
        self._known = _Known(self)

    @property
    def vocabulary(self) -> int:
        """Number of token ids, the two reserved ones included."""
        return int(self._tokenizer.get_vocab_size())

    def ids(self, text: str) -> list[int]:
        """Tokens of a text, all of them; one unknown token where there would be none."""
        known = self._known
        return [token for raw in RAW.findall(text) for token in known[raw]] or [UNKNOWN]

    def spans(self, text: str) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """First character, character behind the last, and tokens of each raw word that has any."""
        for match in RAW.finditer(text):
            if tokens := self._known[match.group()]:
                yield match.start(), match.end(), tokens

    def token(self, number: int) -> str:
        """A token as text."""
        return str(self._tokenizer.id_to_token(number)).removeprefix(WORD_BEGIN)

    def tokens_of(self, raw: str) -> tuple[int, ...]:
        """Tokens of one raw word, from scratch."""
        words = self.normalise.words(raw)
        tokens = tuple(token for word in words for token in self._tokenizer.encode(word).ids)
        if self.normalise.drop_unknown_symbols and is_symbol(raw) and UNKNOWN in tokens:
            return ()
        return tokens


class _Known(dict[str, tuple[int, ...]]):
    """Tokens of the raw words met so far; forgotten when there are too many, as a server meets anything."""

    def __init__(self, words: Words) -> None:
        super().__init__()
        self._words = words

    def __missing__(self, raw: str) -> tuple[int, ...]:
        tokens = self._words.tokens_of(raw)
        if len(raw) <= _LONG:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[raw] = tokens
        return tokens
