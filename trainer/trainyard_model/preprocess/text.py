"""A column of texts: token numbers, cut and filled up to one length."""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelInputError, PackageError
from ..families.base import Kind, Shape, TextShape
from ..schema import Schema
from ..values import number_text, to_list
from .base import Columns, Floats, Inputs, Preprocessor, row_count, shares
from .normalise import APOSTROPHES, Normalisation

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Side = Literal["start", "end"]
FILE = "tokenizer.json"
PADDING, UNKNOWN = 0, 1
_SLICE_TOKENS = 2**16
_MOST_TOKENS = 200
_EXAMPLE_CHARACTERS = 2_000
_WORD_BEFORE = re.compile(rf"[\w{APOSTROPHES}]*\Z")


@dataclass(frozen=True, slots=True)
class TextPreprocessor(Preprocessor):
    """How texts become tokens.

    Attributes:
        schema: Its one column.
        tokenizer: JSON of a tokenizer of the library `tokenizers`, its cleaning included; token 0 is padding,
            token 1 stands for what is unknown.
        max_length: Tokens of a text that are read.
        padding: Where short texts are filled up.
        truncation: Where long texts are cut.
        normalisation: What the tokenizer's cleaning was made from.
    """

    kind: ClassVar[Kind] = "text"

    schema: Schema
    tokenizer: bytes
    max_length: int
    padding: Side = "end"
    truncation: Side = "end"
    normalisation: Normalisation = field(default_factory=Normalisation)
    _tokenizer: Tokenizer = field(init=False, repr=False, compare=False)
    _vocabulary: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the tokenizer.

        Raises:
            PackageError: It cannot be read, or the library is not there.
        """
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise PackageError(
                f"a model of texts needs the package tokenizers ({error}); install it beside torch"
            ) from error
        try:
            made = Tokenizer.from_buffer(self.tokenizer)
        except Exception as error:  # the library raises nothing narrower
            raise PackageError(f"{FILE} cannot be read: {error}; fetch it again") from error
        made.no_truncation()
        made.no_padding()
        numbers = made.get_vocab().values()
        object.__setattr__(self, "_tokenizer", made)
        object.__setattr__(self, "_vocabulary", max(UNKNOWN, *numbers) + 1 if numbers else UNKNOWN + 1)

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
        schema, text = self.schema, TextShape(self._vocabulary, self.max_length)
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
        found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [one.ids[self._read(len(one))] or [UNKNOWN] for one in found]

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
        """Of each row its tokens: what they are in the cell, from and to which character, and the weight."""
        rows = (row for part in weights for row in part)
        found = [self._weighed(text, row) for text, row in zip(self.texts(columns), rows, strict=True)]
        return {self.column: found}

    def _weighed(self, text: str, weights: Floats) -> list[dict[str, Any]]:
        spans = _widened(text, self._tokenizer.encode(text, add_special_tokens=False).offsets)
        spans = spans[self._read(len(spans))]
        kept = weights[self._place(len(spans), len(weights))].tolist()
        return [
            {"text": text[start:end], "start": start, "end": end, "weight": weight}
            for (start, end), weight in zip(spans, kept, strict=True)
        ]

    def importance(self, slices: Iterable[tuple[Inputs, Floats]]) -> dict[str, float]:
        """Share of each token, the largest first and at most 200 of them."""
        totals = np.zeros(self._vocabulary)
        for (tokens,), weights in slices:
            totals += np.bincount(tokens.ravel(), np.abs(weights).ravel(), minlength=self._vocabulary)
        totals[PADDING] = 0.0
        found = shares(totals)
        best = np.argsort(-found, kind="stable")[:_MOST_TOKENS]
        return {self.word(int(token)): float(found[token]) for token in best if found[token] > 0.0}

    def word(self, token: int) -> str:
        """A token for people."""
        return self._tokenizer.decode([token], skip_special_tokens=False).strip() or f"[{token}]"

    def example(self, columns: Columns) -> dict[str, list[Any]]:
        """Texts, not more than two thousand characters of each."""
        return {self.column: [text[:_EXAMPLE_CHARACTERS] for text in self.texts(columns)]}

    def to_json(self) -> dict[str, Any]:
        """Plain values; the tokenizer is a file of its own."""
        return {
            "maxLength": self.max_length,
            "padding": self.padding,
            "truncation": self.truncation,
            "normalisation": self.normalisation.to_json(),
        }

    @classmethod
    def from_json(
        cls, schema: Schema, value: Mapping[str, Any], files: Mapping[str, bytes]
    ) -> TextPreprocessor:
        """The inverse of `to_json` and `files`."""
        if FILE not in files:
            raise PackageError(f"{FILE} is not among the package's files; fetch it again")
        normalisation = Normalisation.from_json(value["normalisation"])
        sides = value["padding"], value["truncation"]
        return cls(schema, files[FILE], value["maxLength"], *sides, normalisation)

    def files(self) -> dict[str, bytes]:
        """The tokenizer."""
        return {FILE: self.tokenizer}


def _text(cell: Any, column: str, row: int) -> str:
    if isinstance(cell, str):
        # half a pair of UTF-16, which JSON can hold, is no character
        return cell if cell.isascii() else cell.encode("utf-8", "replace").decode("utf-8")
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return ""
    if isinstance(cell, int | float | np.number) and not isinstance(cell, bool):
        return "" if math.isnan(cell) else number_text(float(cell))
    raise ModelInputError(column=column, row=row, expected="text or nothing", got=type(cell).__name__)


def _widened(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans with what lies before them in their word and has no token: n't is `not` by its last letter."""
    found: list[tuple[int, int]] = []
    taken = 0
    for start, end in spans:
        before = _WORD_BEFORE.search(text, taken, start) if taken < start else None
        found.append((before.start() if before else start, end))
        taken = max(taken, end)
    return found
