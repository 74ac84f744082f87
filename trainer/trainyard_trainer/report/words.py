"""Numbers and names as people read them; the same in charts, tables and sentences."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

_METRICS = {
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "f1": "F1",
    "f1_macro": "F1 (mean over classes)",
    "f1_micro": "F1 (over all rows)",
    "npv": "negative predictive value",
    "ece": "calibration error",
    "log_loss": "log loss",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "mape": "MAPE",
}


def metric(name: str) -> str:
    """A metric's name without its part, as people say it."""
    bare = re.sub(r"^(val|test|oof|train)_", "", name)
    return _METRICS.get(bare, bare.replace("_", " "))


def number(value: Any) -> str:
    """Four significant digits, thousands set apart; a dash for nothing."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, int | float):
        return str(value)
    if float(value) == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def share(value: float) -> str:
    """A share in per cent, with a decimal where it is small."""
    percent = 100 * value
    if percent == 0 or percent >= 10 or abs(percent - round(percent)) < 1e-9:
        return f"{percent:.0f} %"
    return "< 0.1 %" if percent < 0.1 else f"{percent:.1f} %"


def count(value: int, singular: str, plural: str | None = None) -> str:
    """`1 row`, `2 rows`."""
    return f"{value:,} {singular if value == 1 else plural or singular + 's'}"


def listed(items: Sequence[str]) -> str:
    """`a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def width(text: str) -> int:
    """Columns that a text takes; letters of East Asian scripts take two."""
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text if not unicodedata.combining(c)
    )


def short(value: Any, most: int = 24) -> str:
    """At most so many columns on one line; the middle goes, as names often differ only at the end."""
    text = " ".join(str(value).split()) or "(empty)"
    if width(text) <= most:
        return text
    head, tail = "", ""
    while width(head) + width(text[len(head)]) <= (most - 1) * 3 // 5:
        head += text[len(head)]
    while width(tail) + width(text[-1 - len(tail)]) <= most - 1 - width(head):
        tail = text[-1 - len(tail)] + tail
    return f"{head}…{tail}"


def slug(text: str, most: int = 40) -> str:
    """A part of a file name."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:most] or "column"
