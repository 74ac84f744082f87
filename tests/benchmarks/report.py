"""What every suite writes: a table for people, build/bench/<suite>.json for machines.

A suite is sections, a section yields rows. A section that fails is a row that says so, never the end of the
suite: half an hour of figures is not lost to one of them.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "bench"
PACKAGES = ("trainyard", "kopf", "kubernetes", "mlflow", "numpy", "pytorch-tabnet", "scikit-learn", "torch")


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


Section = Callable[[], Iterable[Row]]


def at_most(
    name: str, value: float, unit: str, limit: float, note: str = "", peer: float | None = None
) -> Row:
    """Build a row with an upper bound as its target."""
    return Row(name, _digits(value), unit, f"<= {limit:g}", value <= limit, peer, note)


def at_least(
    name: str, value: float, unit: str, limit: float, note: str = "", peer: float | None = None
) -> Row:
    """Build a row with a lower bound as its target."""
    return Row(name, _digits(value), unit, f">= {limit:g}", value >= limit, peer, note)


def not_run(name: str, unit: str, target: str, why: str) -> Row:
    """Build a row of something that could not be measured here."""
    return Row(name, None, unit, target, None, None, why)


def guarded(name: str, section: Section) -> Iterator[Row]:
    """Give the rows of a section; what it raises becomes its last row."""
    try:
        yield from section()
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        yield Row(f"{name}: failed", None, "", ok=False, note=text[:600])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)]


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def spread(values: Sequence[float], unit: str = "", digits: int = 3) -> str:
    """Tell median, quartiles and count, for a note."""
    quarters = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
    low, middle, high = (f"{value:.{digits}g}" for value in quarters)
    return f"{middle} {unit} (quartiles {low}..{high}, n={len(values)})".replace("  ", " ")


def machine() -> dict[str, object]:
    """Describe where it ran: figures of two machines are not comparable."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cpus": os.cpu_count(),
        "cpu": _cpu(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "load1m": os.getloadavg()[0],
        "versions": versions,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write(suite: str, rows: Iterable[Row], facts: Mapping[str, object] | None = None) -> None:
    """Print the table and write the file.

    Args:
        suite: Name of the file.
        rows: Figures, in the order of the table.
        facts: What else a reader must know of the run, beside the machine: data, load, seconds.
    """
    found, where = list(rows), machine()
    _print(suite, found, where)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{suite}.json"
    first = Row("machine", None, "", note=json.dumps({**where, **(facts or {})}))
    path.write_text(json.dumps([asdict(r) for r in (first, *found)], indent=1) + "\n")
    Console().print(f"written to {path.relative_to(ROOT)}")


def progress(text: str) -> None:
    """Say what is going on, with the time: a suite takes up to 40 minutes."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def _print(suite: str, rows: Sequence[Row], where: Mapping[str, object]) -> None:
    table = Table(title=f"{suite} ({where['cpu']}, {where['cpus']} CPUs)")
    for column in ("name", "value", "unit", "target", "ok", "peer", "note"):
        table.add_column(column, justify="right" if column in ("value", "peer") else "left")
    for row in rows:
        mark = {True: "yes", False: "[red]NO[/]", None: ""}[row.ok]
        texts = (escape(text) for text in (row.unit, row.target))
        table.add_row(escape(row.name), _shown(row.value), *texts, mark, _shown(row.peer), escape(row.note))
    Console(width=170).print(table)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _digits(value: float) -> float:
    return float(f"{value:.5g}")


def _cpu() -> str:
    """Name the processor as the kernel does."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
