"""A column of texts: token numbers, cut and filled up to one length."""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelInputError, PackageError
from ..families.base import Kind, Shape, TextShape
from ..schema import Schema
from ..values import is_missing, number_text, to_list
from ..words import PADDING, UNKNOWN, Normalise, Words
from .base import Columns, Floats, Inputs, Preprocessor, row_count

Side = Literal["start", "end"]
FILE = "tokenizer.json"
_SLICE_TOKENS = 2**16
_MOST_TOKENS = 200
_EXAMPLE_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class TextPreprocessor(Preprocessor):
    """How texts become tokens.

    Attributes:
        schema: Its one column.
        tokenizer: JSON of a model of the library `tokenizers`, which gets single words; token 0 is padding,
            token 1 stands for what is unknown.
        max_length: Tokens of a text that are read.
        padding: Where short texts are filled up.
        truncation: Where long texts are cut.
        normalise: How words are cleaned before the tokenizer gets them.
    """

    kind: ClassVar[Kind] = "text"

    schema: Schema
    tokenizer: bytes
    max_length: int
    padding: Side = "end"
    truncation: Side = "end"
    normalise: Normalise = field(default_factory=Normalise)
    _words: Words = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the tokenizer.

        Raises:
            PackageError: It cannot be read, or the library is not there.
        """
        try:
            words = Words(self.tokenizer, self.normalise)
        except ImportError as error:
            raise PackageError(
                f"a model of texts needs the package tokenizers ({error}); install it beside torch"
            ) from error
        except Exception as error:  # the library raises nothing narrower
            raise PackageError(f"{FILE} cannot be read: {error}; fetch it again") from error
        if words.vocabulary <= UNKNOWN:
            raise PackageError(f"{FILE} has no tokens; fetch it again")
        object.__setattr__(self, "_words", words)

    @property
    def column(self) -> str:
        """Name of the text column."""
        return self.schema.columns[0].name

    @property
    def slice_rows(self) -> int:
        """So that the states of a recurrent network over all tokens stay small."""
        return max(16, _SLICE_TOKENS // self.max_length)

    def shape(self) -> Shape:
        """What the data say of the network."""
        schema, text = self.schema, TextShape(self._words.vocabulary, self.max_length)
        return Shape(0, (), schema.width, bool(schema.classes), text=text)

    def encode(self, columns: Columns) -> Inputs:
        """Rows as (tokens int32 (rows, L),), where L is the longest of these rows, at most `max_length`.

        Raises:
            ModelInputError: The column is missing, or a cell is no text.
        """
        row_count(self.schema, columns)
        return (self.filled_up(self.tokens(self.texts(columns))),)

    def texts(self, columns: Columns) -> list[str]:
        """The column's cells; a missing one is an empty text.

        Raises:
            ModelInputError: A cell is no text.
        """
        return [_text(cell, self.column, row) for row, cell in enumerate(to_list(columns[self.column]))]

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of each text without padding; one unknown token where there is none."""
        found = (self._words.ids(text) for text in texts)
        return [ids[self._read(len(ids))] for ids in found]

    def filled_up(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.int32]:
        """Token numbers (rows, L) with padding up to the longest row."""
        length = max(map(len, tokens), default=1)
        out = np.full((len(tokens), length), PADDING, dtype=np.int32)
        for row, ids in enumerate(tokens):
            out[row, self._place(len(ids), length)] = ids
        return out

    def _read(self, count: int) -> slice:
        """Of a text of so many tokens, those that are read."""
        start = max(0, count - self.max_length) if self.truncation == "start" else 0
        return slice(start, start + self.max_length)

    def _place(self, count: int, length: int) -> slice:
        """Of a row of so many places, those that are no padding."""
        start = length - count if self.padding == "start" else 0
        return slice(start, start + count)

    def explained(self, columns: Columns, weights: list[Floats]) -> dict[str, list[list[dict[str, Any]]]]:
        """Of each row its words that are read: which characters of the cell they are, and the weight."""
        rows = (row for part in weights for row in part)
        found = [self._weighed(text, row) for text, row in zip(self.texts(columns), rows, strict=True)]
        return {self.column: found}

    def _weighed(self, text: str, weights: Floats) -> list[dict[str, Any]]:
        spans = list(self._words.spans(text))
        of_token = np.repeat(np.arange(len(spans)), [len(tokens) for _, _, tokens in spans])
        of_token = of_token[self._read(len(of_token))]
        kept = weights[self._place(len(of_token), len(weights))]
        sums = np.bincount(of_token, kept, minlength=len(spans))
        return [
            {"text": text[start:end], "start": start, "end": end, "weight": float(sums[i])}
            for i, (start, end, _) in ((i, spans[i]) for i in np.unique(of_token).tolist())
        ]

    def importance(self, slices: Iterable[tuple[Inputs, Floats]]) -> dict[str, float]:
        """Share of each token, the largest first and at most 200 of them."""
        totals = np.zeros(self._words.vocabulary)
        for (tokens,), weights in slices:
            totals += np.bincount(tokens.ravel(), np.abs(weights).ravel(), minlength=len(totals))
        totals[PADDING] = 0.0
        share = totals / (totals.sum() or 1.0)
        found: dict[str, float] = {}
        for token in np.argsort(-share, kind="stable")[:_MOST_TOKENS].tolist():
            if share[token] > 0.0:  # a piece may be the end of a word or not, and reads the same
                word = self._words.token(token)
                found[word] = found.get(word, 0.0) + float(share[token])
        return found

    def example(self, columns: Columns) -> dict[str, list[Any]]:
        """Texts, not more than two thousand characters of each."""
        return {self.column: [text[:_EXAMPLE_CHARACTERS] for text in self.texts(columns)]}

    def to_json(self) -> dict[str, Any]:
        """Plain values; the tokenizer is a file of its own."""
        return {
            "maxLength": self.max_length,
            "padding": self.padding,
            "truncation": self.truncation,
            "normalise": self.normalise.to_json(),
        }

    @classmethod
    def from_json(
        cls, schema: Schema, value: Mapping[str, Any], files: Mapping[str, bytes]
    ) -> TextPreprocessor:
        """The inverse of `to_json` and `files`."""
        if FILE not in files:
            raise PackageError(f"{FILE} is not among the package's files; fetch it again")
        sides = value["padding"], value["truncation"]
        return cls(schema, files[FILE], value["maxLength"], *sides, Normalise.from_json(value["normalise"]))

    def files(self) -> dict[str, bytes]:
        """The tokenizer."""
        return {FILE: self.tokenizer}


def _text(cell: Any, column: str, row: int) -> str:
    """A cell as training reads it: what files write for a gap is one."""
    if is_missing(cell):
        return ""
    if isinstance(cell, str):
        # half a pair of UTF-16, which JSON can hold, is no character
        return cell if cell.isascii() else cell.encode("utf-8", "replace").decode("utf-8")
    if isinstance(cell, int | float | np.number) and not isinstance(cell, bool):
        return number_text(float(cell)) if math.isfinite(cell) else str(cell)
    raise ModelInputError(column=column, row=row, expected="text or nothing", got=type(cell).__name__)
