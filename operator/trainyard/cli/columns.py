"""Columns as kubectl writes them: as wide as what stands in them, whatever the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """The rows, the heading first, in columns that line up.

    >>> print(aligned([("NAME", "STATE"), ("adult", "Running")]))
    NAME    STATE
    adult   Running
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
