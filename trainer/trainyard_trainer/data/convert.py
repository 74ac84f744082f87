"""Arrow arrays as columns of the table.

A text column is one of numbers when every cell that is not a gap is a number, one of dates when every cell is
an ISO 8601 date, else one of words: the kind follows from the content and not from the file format.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trainyard_model.values import MISSING_TEXTS
from trainyard_trainer.data.table import EXACT, Numbers, Texts, Times, Values, unified

_DATE = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?Z?)?$"


def values_of(array: Any, nulls: tuple[str, ...] = ()) -> Values | None:
    """The column, or None where its type is of no use to a table of numbers and words."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        if not pa.types.is_string(kind.value_type):
            return values_of(array.cast(kind.value_type), nulls)
        return _of_texts(getattr(array, "chunks", [array]), nulls)
    if pa.types.is_boolean(kind):
        array, kind = pc.if_else(array, "true", "false"), pa.string()
    if pa.types.is_null(kind):
        return Numbers(np.full(len(array), np.nan))
    if pa.types.is_floating(kind):
        return Numbers(_floats(pc.cast(array, pa.float64())))
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        numbers = _floats(pc.cast(array, pa.float64(), safe=False))
        return _words([array.cast(pa.string())], ()) if _too_large(numbers) else Numbers(numbers)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return Times(_seconds(array))
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return None
    return _of_texts([chunk.cast(pa.string()) for chunk in getattr(array, "chunks", [array])], nulls)


def _of_texts(chunks: Sequence[Any], nulls: tuple[str, ...]) -> Values:
    numbers: list[NDArray[np.float64]] = []
    for chunk in chunks:
        found = as_numbers(chunk, nulls)
        if found is None:
            return _words(chunks, nulls)
        numbers.append(found)
    return Numbers(np.concatenate(numbers or [np.empty(0)]))


def as_numbers(texts: Any, nulls: tuple[str, ...]) -> NDArray[np.float64] | None:
    """Texts as numbers, or None where one is neither a number nor a gap, or is a long identifier."""
    try:
        if pa.types.is_dictionary(texts.type) or any(_is_number(text) for text in nulls):
            raise pa.ArrowInvalid("word by word")
        numbers = _floats(pc.cast(texts, pa.float64()))  # most columns of numbers are as simple as that
    except pa.ArrowInvalid:
        found = _words_once(texts)
        try:
            by_word = _floats(pc.cast(_known(found.dictionary, nulls), pa.float64()))
        except pa.ArrowInvalid:
            return None
        numbers = np.append(by_word, np.nan)[_indices(found)]
    if _too_large(numbers):
        plain = texts.cast(pa.string())
        if pc.any(pc.match_substring_regex(plain, r"^\s*[+-]?\d{16,}\s*$")).as_py():
            return None
    return numbers


def encoded(texts: Any, nulls: tuple[str, ...]) -> tuple[list[str], NDArray[np.int32]]:
    """Distinct words in the order of their first use, and the code of each cell (-1 for a gap)."""
    found = _words_once(texts)
    number: dict[str, int] = {}
    words = _known(found.dictionary, nulls).to_pylist()
    codes = [-1 if word is None else number.setdefault(word, len(number)) for word in words]
    return list(number), np.array([*codes, -1], dtype=np.int32)[_indices(found)]


def _known(texts: Any, nulls: tuple[str, ...]) -> Any:
    """Trimmed texts, with nothing where a text stands for a gap."""
    trimmed = pc.utf8_trim_whitespace(texts)
    gaps = _strings([*MISSING_TEXTS, *nulls])
    return pc.if_else(pc.is_in(trimmed, value_set=gaps), pa.nulls(1, pa.string())[0], trimmed)


def _words_once(texts: Any) -> Any:
    """Dictionary encoded: each word once, and its position in each cell."""
    return texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()


def _indices(found: Any) -> NDArray[np.int32]:
    """Positions in a dictionary; -1 for a gap."""
    return _cells(found.indices.cast(pa.int32()), np.dtype(np.int32), -1)


def finished(words: Sequence[Sequence[str]], codes: Sequence[NDArray[np.int32]]) -> Values:
    """Pieces of a text column as one column, of dates where all its words are dates."""
    texts = _lower_booleans(unified(words, codes))
    return _dates(texts) or texts


def _words(chunks: Sequence[Any], nulls: tuple[str, ...]) -> Values:
    pieces = [encoded(chunk, nulls) for chunk in chunks]
    return finished([words for words, _ in pieces], [codes for _, codes in pieces])


def _dates(texts: Texts) -> Times | None:
    if not texts.words or not all(re.match(_DATE, word) for word in texts.words[:16]):
        return None
    words = _strings(texts.words)
    if not pc.all(pc.match_substring_regex(words, _DATE)).as_py():
        return None
    try:
        plain = pc.replace_substring_regex(words, "Z$", "")
        seconds = _seconds(pc.cast(plain, pa.timestamp("us")))
    except pa.ArrowInvalid:  # 2023-02-31
        return None
    return Times(np.append(seconds, np.nan)[texts.codes])


def _seconds(array: Any) -> NDArray[np.float64]:
    return _floats(pc.cast(array, pa.timestamp("us"), safe=False).cast(pa.int64()).cast(pa.float64())) / 1e6


def _floats(array: Any) -> NDArray[np.float64]:
    return _cells(array, np.dtype(np.float64), np.nan)


def _cells(array: Any, kind: np.dtype[Any], gap: float) -> NDArray[Any]:
    """Cells of an array. Arrow's own `to_numpy`, as its `array` and `scalar`, would import pandas for it."""
    parts = []
    for chunk in getattr(array, "chunks", [array]):
        if len(chunk):
            values = np.frombuffer(chunk.buffers()[1], kind, len(chunk), chunk.offset * kind.itemsize)
            if chunk.null_count:
                gaps = _cells(chunk.is_null().cast(pa.int8()), np.dtype(np.int8), 0)
                values = np.where(gaps == 1, kind.type(gap), values)
            parts.append(values)
    return parts[0] if len(parts) == 1 else np.concatenate(parts or [np.empty(0, dtype=kind)])


def _strings(words: Sequence[str]) -> Any:
    """Words as an Arrow array."""
    cells = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, cells)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(cells), pa.py_buffer(ends), pa.py_buffer(b"".join(cells)))


def _too_large(numbers: NDArray[np.float64]) -> bool:
    """Whether float64 cannot tell some whole numbers from their neighbours, as in long identifiers."""
    return bool((np.abs(numbers) >= EXACT).any())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _lower_booleans(texts: Texts) -> Texts:
    """True, TRUE and true are one category, as they are in JSON."""
    lowered = [word.lower() if word in ("True", "False", "TRUE", "FALSE") else word for word in texts.words]
    return unified([lowered], [texts.codes])
