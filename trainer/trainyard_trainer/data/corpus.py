"""A text column as numbers of its raw words: read once, then counted, cleaned and encoded without its texts.

A data set has far fewer different words than words, so whatever is done to a word (clean-up, a look-up in a
vocabulary) is done once for each different one, and texts follow by indexing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainyard_model.words import RAW, UNKNOWN
from trainyard_trainer.data.table import Rows, Texts

Counts = NDArray[np.int64]
_AT_A_TIME = 1 << 20


@dataclass(frozen=True, slots=True)
class Corpus:
    """Raw words of each different text of a column, one text behind the other.

    Attributes:
        words: The different raw words, in the order of their first use.
        codes: Position in `words` of each raw word of each text, int32.
        starts: Where each text begins in `codes`, and at last where all end; int64 (texts + 1,).
        of_row: The text of each row of the table, -1 for a row without one.
    """

    words: tuple[str, ...]
    codes: NDArray[np.int32]
    starts: NDArray[np.int64]
    of_row: NDArray[np.int32]

    @classmethod
    def of(cls, column: Texts) -> Corpus:
        """The corpus of a column."""
        number: dict[str, int] = {}
        pieces, ends = [], [0]
        for text in column.words:
            found = RAW.findall(text)
            pieces.append(np.array([number.setdefault(w, len(number)) for w in found], dtype=np.int32))
            ends.append(ends[-1] + len(found))
        codes = np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int32)
        return cls(tuple(number), codes, np.array(ends, dtype=np.int64), column.codes)

    def counts(self, rows: Rows) -> Counts:
        """How often each raw word occurs in some rows, equal texts as often as they occur."""
        texts = self.of_row[rows]
        times = np.bincount(texts[texts >= 0], minlength=len(self.starts) - 1)
        total = np.zeros(len(self.words))
        for some, codes, sizes in self._slices():
            total += np.bincount(codes, np.repeat(times[some], sizes), minlength=len(self.words))
        return total.astype(np.int64)

    def _slices(self) -> Iterator[tuple[slice, NDArray[np.int32], NDArray[np.int64]]]:
        """Texts, their codes, and how many each has, some at a time: what is made of them stays small."""
        first, texts = 0, len(self.starts) - 1
        while first < texts:
            last = int(np.searchsorted(self.starts, self.starts[first] + _AT_A_TIME, "right")) - 1
            last = min(max(last, first + 1), texts)
            codes = self.codes[self.starts[first] : self.starts[last]]
            yield slice(first, last), codes, np.diff(self.starts[first : last + 1])
            first = last

    def texts(self, rows: Rows, words: Sequence[str]) -> Iterator[str]:
        """The texts of some rows with other words in place of the raw ones."""
        for text in self.of_row[rows].tolist():
            if text >= 0:
                yield " ".join(words[code] for code in self.codes[self.starts[text] : self.starts[text + 1]])

    def encode(self, tokens: Sequence[tuple[int, ...]]) -> Ragged:
        """The tokens of every text, given those of every raw word; one unknown token where there are none.

        As `Words.ids` would give, text by text.
        """
        sizes = np.array([len(one) for one in tokens], dtype=np.int32)
        flat = np.array([token for one in tokens for token in one], dtype=np.int32)
        begins = np.cumsum(sizes) - sizes  # in `flat`
        pieces: list[NDArray[np.int32]] = []
        lengths: list[NDArray[np.int64]] = []
        for _, codes, raw in self._slices():
            wanted = sizes[codes]
            ends = np.cumsum(wanted, dtype=np.int64)
            values = flat[np.repeat(begins[codes] - (ends - wanted), wanted) + np.arange(wanted.sum())]
            found = np.diff(np.append(0, ends)[np.append(0, np.cumsum(raw))])
            empty = np.flatnonzero(found == 0)
            pieces.append(np.insert(values, (np.cumsum(found) - found)[empty], UNKNOWN).astype(np.int32))
            lengths.append(np.maximum(found, 1))
        starts = np.concatenate([[0], *lengths]).cumsum()
        values = np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int32)
        return Ragged(values, starts, self.of_row)


@dataclass(frozen=True, slots=True)
class Ragged:
    """Tokens of each text, one text behind the other, and the text of each row (-1: none)."""

    values: NDArray[np.int32]
    starts: NDArray[np.int64]
    of_row: NDArray[np.int32]

    def lengths(self, rows: Rows) -> NDArray[np.int64]:
        """Tokens of each of some rows; the unknown one alone where there is no text."""
        return np.append(np.diff(self.starts), 1)[self.of_row[rows]]

    def padded(self, rows: Rows, length: int, padding: str, truncation: str) -> NDArray[np.int32]:
        """Tokens of some rows, (rows, L) with L the longest of them: cut to `length`, filled up with 0."""
        sizes = np.minimum(self.lengths(rows), length)
        length = int(sizes.max(initial=1))
        out = np.zeros((len(rows), length), dtype=np.int32)
        for i, (text, size) in enumerate(zip(self.of_row[rows].tolist(), sizes.tolist(), strict=True)):
            at = slice(0, size) if padding == "end" else slice(length - size, length)
            first = self.starts[text] if truncation == "end" else self.starts[text + 1] - size
            out[i, at] = UNKNOWN if text < 0 else self.values[first : first + size]
        return out
