"""A request that is answered with an error: the status, words for people, and nothing that was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHOWN = 20


class Refused(Exception):  # noqa: N818 - named as what happens to the request
    """The answer is an error of this status. `reasons` is what the metrics count."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        reasons: Sequence[str] = (),
        fields: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message = status, message
        self.reasons, self.fields, self.headers = tuple(reasons), dict(fields or {}), dict(headers or {})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the rows: names and types, never a value."""

    row: int | None
    column: str | None
    expected: str
    got: str

    def to_json(self) -> dict[str, Any]:
        """As it stands in `details`."""
        return {"row": self.row, "column": self.column, "expected": self.expected, "got": self.got}

    def text(self) -> str:
        """As it stands in `error`."""
        where = [f"row {self.row}"] if self.row is not None else []
        where += [f"column '{self.column}'"] if self.column is not None else []
        return f"{', '.join(where) or 'the body'}: expected {self.expected}, got {self.got}"


class Problems:
    """All problems are counted, the first ones are kept."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Problem] = []
        self.reasons: dict[str, None] = {}

    def add(self, reason: str, row: int | None, column: str | None, expected: str, got: str) -> None:
        """Note one."""
        self.count += 1
        self.reasons[reason] = None
        if len(self.first) < SHOWN:
            self.first.append(Problem(row, None if column is None else column[:200], expected, got))

    @property
    def full(self) -> bool:
        """Whether another one would only be counted; what is costly to say need not be worked out then."""
        return len(self.first) >= SHOWN

    def check(self) -> None:
        """Nothing, when there is none.

        Raises:
            Refused: 422 with the first problems and the number of all.
        """
        if self.count:
            raise self.refusal()

    def refusal(self) -> Refused:
        """What to answer to those that were noted, at least one."""
        more = f" (and {self.count - 1} more)" if self.count > 1 else ""
        return Refused(
            422,
            self.first[0].text() + more,
            reasons=list(self.reasons),
            fields={"details": [problem.to_json() for problem in self.first], "count": self.count},
        )
