"""What every suite writes: a table for people, build/bench/<suite>.json for machines."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parents[2] / "build" / "bench"


@dataclass(frozen=True)
class Row:
    """One figure. `ok` is None when it was not measured here or has no target; the note says why."""

    name: str
    value: float | None
    unit: str
    target: str = ""
    ok: bool | None = None
    peer: float | None = None
    note: str = ""


def at_most(name: str, value: float, unit: str, limit: float, note: str = "") -> Row:
    """Build a row with an upper bound as its target."""
    return Row(name, round(value, 3), unit, f"<= {limit:g}", value <= limit, None, note)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)]


def machine() -> dict[str, object]:
    """Describe where it ran: figures of two machines are not comparable."""
    versions = {
        name: metadata.version(name) for name in ("trainyard", "kopf", "kubernetes", "mlflow", "torch")
    }
    return {
        "cpus": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "load1m": os.getloadavg()[0],
        "versions": versions,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write(suite: str, rows: Iterable[Row]) -> None:
    """Print the table and write the file."""
    found = list(rows)
    table = Table(title=f"{suite} ({machine()['platform']}, {os.cpu_count()} CPUs)")
    for column in ("name", "value", "unit", "target", "ok", "note"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for row in found:
        value = "-" if row.value is None else f"{row.value:,.3g}" if row.value < 1000 else f"{row.value:,.0f}"
        table.add_row(
            row.name, value, row.unit, row.target, {True: "yes", False: "NO", None: ""}[row.ok], row.note
        )
    Console(width=150).print(table)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{suite}.json"
    where = Row("machine", None, "", note=json.dumps(machine()))
    path.write_text(json.dumps([asdict(r) for r in (where, *found)], indent=1) + "\n")
    Console().print(f"written to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)
