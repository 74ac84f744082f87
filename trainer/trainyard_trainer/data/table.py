"""The table in memory: numbers as float64 with NaN for gaps, words as codes, images as an array of pixels.

Columns of every kind hash, digest, encode and split without a Python loop over rows, and a table of the same
content is the same whatever file it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainyard_model.values import number_text
from trainyard_trainer.errors import DataError

Rows = NDArray[np.int64]
EXACT = 2.0**53
"""Whole numbers from here on are not all float64: columns of them stay texts."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A numeric column."""

    values: NDArray[np.float64]

    def take(self, rows: Rows) -> Numbers:
        """Some rows, in the order given."""
        return Numbers(self.values[rows])

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where there is a gap."""
        return np.isnan(self.values)

    @property
    def integral(self) -> bool:
        """Whether every value is a whole number."""
        present = self.values[~self.missing]
        return bool(np.isfinite(present).all() and (present == np.floor(present)).all())

    def cells(self) -> NDArray[Any]:
        """The values as a user would pass them: whole numbers as integers where there are no gaps."""
        if self.integral and not self.missing.any() and (np.abs(self.values) < EXACT).all():
            return self.values.astype(np.int64)
        return self.values

    def as_texts(self) -> Texts:
        """The same cells as categories."""
        return _words_of(self.values, lambda distinct: [number_text(float(v)) for v in distinct])


@dataclass(frozen=True, slots=True)
class Times:
    """A column of dates: seconds since 1970 (UTC), NaN for a gap."""

    values: NDArray[np.float64]

    def take(self, rows: Rows) -> Times:
        """Some rows, in the order given."""
        return Times(self.values[rows])

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where there is a gap."""
        return np.isnan(self.values)

    def cells(self) -> NDArray[Any]:
        """The values as a user would pass them."""
        return self.as_texts().cells()

    def as_texts(self) -> Texts:
        """As ISO 8601 writes them: days alone where every time is midnight."""
        present = self.values[~self.missing]
        unit: Literal["D", "s", "us"] = "D" if (present % 86_400 == 0).all() else "s"
        if not (present % 1 == 0).all():
            unit = "us"

        def written(distinct: NDArray[np.float64]) -> list[str]:
            moments: NDArray[np.datetime64] = np.round(distinct * 1e6).astype("datetime64[us]")
            return [str(text).replace("T", " ") for text in np.datetime_as_string(moments, unit=unit)]

        return _words_of(self.values, written)


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of words; code -1 is a gap."""

    words: tuple[str, ...]
    codes: NDArray[np.int32]

    def take(self, rows: Rows) -> Texts:
        """Some rows, in the order given."""
        return Texts(self.words, self.codes[rows])

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where there is a gap."""
        return self.codes < 0

    def cells(self) -> NDArray[Any]:
        """The values as a user would pass them."""
        return np.array([*self.words, None], dtype=object)[self.codes]

    def used(self) -> list[int]:
        """Codes that occur."""
        counts = np.bincount(self.codes + 1, minlength=len(self.words) + 1)[1:]
        return [int(code) for code in np.flatnonzero(counts)]

    def as_texts(self) -> Texts:
        """Itself."""
        return self


@dataclass(frozen=True, slots=True)
class Images:
    """A column of images of one size. There are no gaps.

    Attributes:
        pixels: uint8 (rows, channels, height, width), the layout that networks take.
        files: The name of each image's file; None where they come as one array.
    """

    pixels: NDArray[np.uint8]
    files: NDArray[np.str_] | None = None

    def take(self, rows: Rows) -> Images:
        """Some rows, in the order given."""
        return Images(self.pixels[rows], None if self.files is None else self.files[rows])

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Nowhere."""
        return np.zeros(len(self.pixels), dtype=np.bool_)

    @property
    def size(self) -> str:
        """Height and width in words."""
        return f"{self.pixels.shape[2]} x {self.pixels.shape[3]}"

    def cells(self) -> NDArray[Any]:
        """The images as a user would pass them: (rows, height, width), or (rows, height, width, channels)."""
        return self.pixels[:, 0] if self.pixels.shape[1] == 1 else self.pixels.transpose(0, 2, 3, 1)

    def as_texts(self) -> Texts:
        """Images stand for no words.

        Raises:
            DataError: Always.
        """
        raise DataError("a column of images cannot be read as words", "name another column")


Values = Numbers | Times | Texts | Images


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length, by name.

    Attributes:
        columns: Names and cells.
        rows: How many.
        files: Names of the files that the rows came from; the first is the source.
        origin: For each row the number of its file; None where there is one file.
        numbers: For each row its number in its file, from 0; None where no row was left out.
    """

    columns: Mapping[str, Values]
    rows: int
    files: tuple[str, ...] = ()
    origin: NDArray[np.int8] | None = None
    numbers: Rows | None = None

    def take(self, rows: Rows) -> Table:
        """Some rows, in the order given."""
        return Table(
            {name: column.take(rows) for name, column in self.columns.items()},
            len(rows),
            self.files,
            None if self.origin is None else self.origin[rows],
            rows if self.numbers is None else self.numbers[rows],
        )

    def with_columns(self, columns: Mapping[str, Values]) -> Table:
        """The same rows with other columns."""
        return Table(columns, self.rows, self.files, self.origin, self.numbers)

    def cells(self, names: list[str]) -> dict[str, NDArray[Any]]:
        """Columns as a user would pass them."""
        return {name: self.columns[name].cells() for name in names}

    def place(self, row: int) -> str:
        """Where a row is found, in words: its file, or its number there, from 1 after the header."""
        for column in self.columns.values():
            if isinstance(column, Images) and column.files is not None:
                return str(column.files[row])
        number = row if self.numbers is None else int(self.numbers[row])
        if self.origin is None:
            return f"row {number + 1}"
        return f"row {number + 1} of {self.files[int(self.origin[row])]}"


def joined(tables: Sequence[Table], files: Sequence[str]) -> Table:
    """The rows of several files in one table; all of them have the columns of the first.

    A column that is of different kinds in different files is one of words.

    Raises:
        DataError: Images of different sizes.
    """
    columns = {
        name: joined_columns([table.columns[name] for table in tables], files) for name in tables[0].columns
    }
    counts = [table.rows for table in tables]
    origin = np.repeat(np.arange(len(tables), dtype=np.int8), counts)
    numbers = np.concatenate([np.arange(count, dtype=np.int64) for count in counts])
    return Table(columns, sum(counts), tuple(files), origin, numbers)


def unified(words: Iterable[Sequence[str]], codes: Iterable[NDArray[np.int32]]) -> Texts:
    """Pieces of one column, each with words of its own, as one column."""
    number: dict[str, int] = {}
    pieces = []
    for own, piece in zip(words, codes, strict=True):
        recode = np.array([*(number.setdefault(word, len(number)) for word in own), -1], dtype=np.int32)
        pieces.append(recode[piece])
    return Texts(tuple(number), np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int32))


def joined_columns(pieces: Sequence[Values], files: Sequence[str]) -> Values:
    """Pieces of one column, from files of these names, as one column.

    Raises:
        DataError: Images of different sizes.
    """
    if images := [piece for piece in pieces if isinstance(piece, Images)]:
        return _joined_images(images, files)
    if all(isinstance(piece, Numbers) for piece in pieces):
        return Numbers(np.concatenate([piece.values for piece in pieces if isinstance(piece, Numbers)]))
    if all(isinstance(piece, Times) for piece in pieces):
        return Times(np.concatenate([piece.values for piece in pieces if isinstance(piece, Times)]))
    texts = [piece.as_texts() for piece in pieces]
    return unified([piece.words for piece in texts], [piece.codes for piece in texts])


def _joined_images(pieces: Sequence[Images], files: Sequence[str]) -> Images:
    first = pieces[0]
    for piece, file in zip(pieces, files, strict=True):
        if piece.pixels.shape[1:] != first.pixels.shape[1:]:
            raise DataError(
                f"{file} holds images of {piece.size} pixels in {piece.pixels.shape[1]} channels, "
                f"{files[0]} of {first.size} in {first.pixels.shape[1]}",
                "set data.image.resize: {height: ..., width: ...} and data.image.channels",
            )
    names = [piece.files for piece in pieces if piece.files is not None]
    same = len(names) == len(pieces)
    return Images(np.concatenate([piece.pixels for piece in pieces]), np.concatenate(names) if same else None)


def _words_of(values: NDArray[np.float64], write: Callable[[NDArray[np.float64]], list[str]]) -> Texts:
    present = ~np.isnan(values)
    distinct, inverse = np.unique(values[present], return_inverse=True)
    codes = np.full(len(values), -1, dtype=np.int32)
    codes[present] = inverse.astype(np.int32)
    return Texts(tuple(write(distinct)), codes)
