"""Kubernetes quantities, as far as memory needs them: reading, comparing and raising a limit."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction

_SUFFIX: dict[str, int] = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_PATTERN = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)(m|[kMGTPE]|[KMGTPE]i)?")


def parse_quantity(value: object) -> int | None:
    """Bytes (or whole units, rounded up) of a quantity; None for anything that is not one.

    >>> parse_quantity("1.5Gi"), parse_quantity(2), parse_quantity("500m"), parse_quantity("x")
    (1610612736, 2, 1, None)
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    found = _PATTERN.fullmatch(str(value))
    if found is None:
        return None
    number, suffix = Fraction(Decimal(found[1])), found[2] or ""
    if suffix == "m":
        return math.ceil(number / 1000)
    base: int = 1024 if suffix.endswith("i") else 1000
    power = _SUFFIX["k" if suffix == "Ki" else suffix[:1]]
    return math.ceil(number * Fraction(base) ** power)


def format_mebibytes(size: int) -> str:
    """Write bytes as whole Mi, rounded up.

    >>> format_mebibytes(1610612736)
    '1536Mi'
    """
    return f"{-(-size // 2**20)}Mi"
