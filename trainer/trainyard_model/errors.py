"""What can be wrong with rows, with files that should be a package, and with settings for such data."""

from __future__ import annotations


class ModelInputError(ValueError):
    """Rows that the model cannot take; the message names column and row and says what is accepted.

    Attributes:
        what: The message without the place.
        column: Where, if it is one column's fault.
        row: Where, counted from 0, if it is one cell's fault.
        expected: What the cell may be; empty where `what` says it all.
        got: What it is, without repeating it.
    """

    def __init__(
        self,
        what: str = "",
        column: str | None = None,
        row: int | None = None,
        *,
        expected: str = "",
        got: str = "",
    ) -> None:
        self.what = what or f"expected {expected}, got {got}"
        self.column, self.row, self.expected, self.got = column, row, expected, got
        where = [] if column is None else [f"column '{column}'"]
        where += [] if row is None else [f"row {row}"]
        super().__init__(f"{', '.join(where)}: {self.what}" if where else self.what)

    def moved(self, rows: int) -> ModelInputError:
        """The same of a cell that lies so many rows further down."""
        row = None if self.row is None else self.row + rows
        return ModelInputError(self.what, self.column, row, expected=self.expected, got=self.got)


class PackageError(ValueError):
    """Files that are no readable package of this version."""


class ShapeError(ValueError):
    """Settings that these data do not bear. `message` says what and where, `remedy` what to do next."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.message, self.remedy = message, remedy
