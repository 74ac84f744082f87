"""Pretrained word vectors: the lines of a file in GloVe's text format that are wanted, and nothing else.

A line is a word and its numbers, separated by single spaces; there is no header. The file may be gzip'd and
far larger than memory: it is read once, line by line, and only wanted words stay.
"""

from __future__ import annotations

import gzip
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.errors import DataError

FIELD = "data.text.vectors"
_COMPLETE = "check that the file is complete and in GloVe's text format: a word and its numbers in each line"
_FIXED = "correct that line"
_ARCHIVES = {b"PK\x03\x04": "a zip archive", b"\xfd7zX": "an xz archive", b"BZh": "a bzip2 archive"}


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of some words: float32 (words, width), and the row of each word."""

    matrix: NDArray[np.float32]
    row: Mapping[str, int]

    @property
    def width(self) -> int:
        """Numbers of a word."""
        return int(self.matrix.shape[1])


def read_vectors(path: Path, wanted: frozenset[str], width: int | None = None) -> Vectors:
    """The vectors of wanted words.

    Args:
        path: A text file, perhaps gzip'd.
        wanted: Words; others are skipped.
        width: How many numbers a word must have; None: as many as in the first line.

    Raises:
        DataError: The file is in another format, a line is broken, or a wanted word is there twice; the
            message has the line's number.
    """
    by_bytes = {word.encode(): word for word in wanted}
    line_of: dict[str, int] = {}
    numbers = array("f")
    spaces = 0
    try:
        for line, (word, rest) in _lines(path):
            if not spaces:
                spaces = _check_first(path.name, word, rest, width)
            if rest.count(b" ") != spaces:
                _check_spaced(path.name, line, rest, spaces)
            elif (known := by_bytes.get(word)) is not None:
                if known in line_of:
                    text = f"{path.name}, line {line}: '{known}' is already in line {line_of[known]}"
                    raise DataError(text, "remove one of the two lines")
                line_of[known] = line
                numbers.extend(_numbers(path.name, line, rest))
    except (OSError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read: {error}", _COMPLETE) from error
    if not spaces:
        raise DataError(f"{path.name} is empty", f"check {FIELD}.uri")
    matrix = np.frombuffer(numbers, dtype=np.float32).reshape(-1, spaces + 1)
    return Vectors(matrix, {word: row for row, word in enumerate(line_of)})


def _lines(path: Path) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
    """Number, word and the rest of each line that is not blank."""
    with path.open("rb") as raw:
        head = raw.read(4)
        raw.seek(0)
        for magic, what in _ARCHIVES.items():
            if head.startswith(magic):
                raise DataError(f"{path.name} is {what}", "unpack it; text and .gz are read")
        with gzip.open(raw) if head.startswith(b"\x1f\x8b") else raw as file:
            for number, line in enumerate(file, start=1):
                if line := line.strip():
                    word, _, rest = line.partition(b" ")
                    yield number, (word, rest)


def _check_first(name: str, word: bytes, rest: bytes, width: int | None) -> int:
    """Spaces between the numbers of a line, of which the first says how many there are."""
    fields = rest.split(b" ")
    if len(fields) == 1 and word.isdigit() and rest.isdigit():
        raise DataError(
            f"{name}, line 1: '{word.decode()} {rest.decode()}' is the header of word2vec's format",
            "remove the first line; the others are in GloVe's format",
        )
    if not rest or b"\0" in word + rest:
        raise DataError(f"{name}, line 1: no word with its numbers, separated by spaces", _COMPLETE)
    _numbers(name, 1, rest)
    if width is not None and len(fields) != width:
        raise DataError(
            f"{name}: vectors of {len(fields)} numbers, but the model's embeddingSize is {width}",
            f"set model.lstm.embeddingSize: {len(fields)}, or use vectors of {width} numbers",
        )
    return len(fields) - 1


def _check_spaced(name: str, line: int, rest: bytes, spaces: int) -> None:
    """A word with spaces in it, as some published files have, is skipped: no text has it as one word."""
    fields = rest.split(b" ")
    if len(fields) <= spaces or _is_number(fields[0]):
        count = len(fields) if rest else 0
        raise DataError(f"{name}, line {line}: {count} numbers, but line 1 has {spaces + 1}", _COMPLETE)


def _numbers(name: str, line: int, rest: bytes) -> list[float]:
    try:
        found = [float(field) for field in rest.split(b" ")]
    except ValueError:
        wrong = next(field for field in rest.split(b" ") if not _is_number(field))
        _not_finite(name, line, wrong.decode(errors="replace"))
    for value in found:
        if not abs(value) < float("inf"):
            _not_finite(name, line, str(value))
    return found


def _not_finite(name: str, line: int, text: str) -> NoReturn:
    raise DataError(f"{name}, line {line}: '{text:.40}' is not a number", _FIXED)


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
