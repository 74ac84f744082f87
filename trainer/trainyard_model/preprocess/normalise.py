r"""How a text is cleaned before it is cut into tokens, as steps of a tokenizer.

As the tokenizer does them itself, its file alone says what is served, and every token still knows which
characters of the raw text it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers.normalizers import Normalizer

APOSTROPHES = "'’"
_A = f"[{APOSTROPHES}]"
_CONTRACTIONS = (
    (rf"(?i)(?<=\bw)on{_A}t\b", "ill not"),
    (rf"(?i)(?<=\bsha)n{_A}t\b", "ll not"),
    (rf"(?i)(?<=\bcan){_A}t\b", " not"),
    (rf"(?i)(?<=\w)n{_A}t\b", " not"),
    (rf"(?i)(?<=\w){_A}re\b", " are"),
    (rf"(?i)(?<=\w){_A}ve\b", " have"),
    (rf"(?i)(?<=\w){_A}ll\b", " will"),
    (rf"(?i)(?<=\w){_A}d\b", " would"),
    (rf"(?i)(?<=\bi){_A}m\b", " am"),
    (rf"(?i)(?<=\blet){_A}s\b", " us"),
    (rf"(?i)(?<=\bit|\bhe|\bshe|\bthat|\bwhat|\bwho|\bhow|\bhere|\bthere|\bwhere){_A}s\b", " is"),
)


@dataclass(frozen=True, slots=True)
class Normalisation:
    """The steps, from the first to the last.

    Attributes:
        lower: Lower-case.
        contractions: Expand contractions: don't -> do not.
        stop_words: Words to leave out, whatever their case.
        strip_apostrophes: Remove apostrophes and what follows in a word.
        drop_unknown_symbols: Remove whatever is no letter, digit, white space or one of `symbols`.
        symbols: The symbols that are known, in any order.
    """

    lower: bool = False
    contractions: bool = False
    stop_words: tuple[str, ...] = ()
    strip_apostrophes: bool = False
    drop_unknown_symbols: bool = False
    symbols: str = ""

    def normalizer(self) -> Normalizer:
        """For `Tokenizer.normalizer`; as little as putting accents in one form where nothing is chosen."""
        from tokenizers import Regex, normalizers

        steps: list[Normalizer] = [normalizers.NFC()]
        if self.lower:
            steps.append(normalizers.Lowercase())
        replaced: list[tuple[str, str]] = []
        if self.contractions:
            replaced += _CONTRACTIONS
        if self.stop_words:
            inner = rf"\w{APOSTROPHES}"
            replaced.append((rf"(?i)(?<![{inner}])(?:{any_of(self.stop_words)})(?![{inner}])", ""))
        if self.strip_apostrophes:
            replaced.append((rf"(?<=\w){_A}\w*", ""))
        if self.drop_unknown_symbols:
            kept = "".join(f"\\{symbol}" for symbol in sorted(set(self.symbols)))
            replaced.append((rf"[^\w\s{kept}]", " "))
        steps += [normalizers.Replace(Regex(pattern), by) for pattern, by in replaced]
        return normalizers.Sequence(steps)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives an equal object back."""
        return {**asdict(self), "stop_words": list(self.stop_words)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Normalisation:
        """The inverse of `to_json`."""
        return cls(**{**value, "stop_words": tuple(value["stop_words"])})


def any_of(words: Iterable[str]) -> str:
    """A pattern that matches any of the words, branching letter by letter: quick however many there are."""
    tree: dict[str, Any] = {}
    for word in words:
        at = tree
        for letter in word:
            at = at.setdefault(letter, {})
        at[""] = {}
    return _branches(tree)


def _branches(tree: Mapping[str, Any]) -> str:
    found = [re.escape(letter) + _branches(rest) for letter, rest in sorted(tree.items()) if letter]
    if not found:
        return ""
    if len(found) == 1 and "" not in tree:
        return found[0]
    return f"(?:{'|'.join(found)}){'?' if '' in tree else ''}"
