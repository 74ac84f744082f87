"""The trainer: how right its models are, how fast they are trained and served, what that weighs.

Run by `make bench-trainer` (up to 40 minutes on two cores, which should be quiet) and
`make bench-trainer-long`; `--only speed` runs the sections whose name begins so. Each section is a process of
its own: threads, allocator and peak memory of one say nothing of another, and a crash or a time limit costs
one section only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.report import ROOT, Row, guarded, progress, write


@dataclass(frozen=True)
class Part:
    """A section: the function that yields its rows, as module:name, and how long it may take at most."""

    name: str
    function: str
    limit: float


SUITE = (
    Part("memory.imports", "memory:imports", 120),
    Part("speed.equality", "equality:rows", 180),
    Part("speed.small", "speed:small", 600),
    Part("speed.large", "speed:large", 900),
    Part("speed.products", "products:rows", 180),
    Part("memory.training", "memory:training", 420),
    Part("accuracy.adult", "accuracy:adult", 600),
    Part("accuracy.samples", "accuracy:samples", 420),
    Part("accuracy.heart", "accuracy:heart", 420),
    Part("accuracy.diabetes", "accuracy:diabetes", 420),
    Part("texts.accuracy", "texts:accuracy", 600),
    Part("texts.few", "texts:few", 240),
    Part("texts.epoch", "texts:epoch", 300),
    Part("texts.served", "texts:served", 120),
    Part("images.accuracy", "images:accuracy", 900),
    Part("images.race", "images:race", 600),
    Part("images.epoch", "images:epoch", 300),
    Part("images.served", "images:served", 120),
)
LONG = (
    Part("accuracy.selection", "selection:rows", 1200),
    Part("accuracy.poker", "poker:rows", 6 * 3600),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all of it, or some."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="sections that begin so")
    parser.add_argument("--long", action="store_true", help="what takes hours instead")
    parser.add_argument("--list", action="store_true", help="name the sections")
    parser.add_argument("--section", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.section:
        _here(next(part for part in (*SUITE, *LONG) if part.name == chosen.section), chosen.rows)
        return
    parts = [p for p in (LONG if chosen.long else SUITE) if _wanted(p.name, chosen.only)]
    if chosen.list or not parts:
        print("\n".join(part.name for part in (LONG if chosen.long else SUITE)))
        return
    _all(parts, "trainer-long" if chosen.long else "trainer", partial=bool(chosen.only))


def _wanted(name: str, only: Sequence[str]) -> bool:
    return not only or any(name.startswith(start) for start in only)


def _all(parts: Sequence[Part], suite: str, partial: bool) -> None:
    load, started = os.getloadavg()[0], time.monotonic()
    rows: list[Row] = []
    took: dict[str, float] = {}
    for number, part in enumerate(parts, 1):
        progress(f"{number}/{len(parts)} {part.name}")
        before = time.monotonic()
        rows += _apart(part)
        took[part.name] = round(time.monotonic() - before, 1)
    total = time.monotonic() - started
    progress(f"{total / 60:.1f} minutes in all")
    facts = {"load1mBefore": load, "seconds": took, "totalSeconds": round(total, 1)}
    write(f"{suite}-part" if partial else suite, rows, facts)


def _apart(part: Part) -> Iterator[Row]:
    """Run a section in a process of its own; its rows come by a file, so that what was measured is kept."""
    with TemporaryDirectory(prefix="trainyard-bench-") as folder:
        file = Path(folder) / "rows"
        file.touch()
        command = [sys.executable, "-m", "tests.benchmarks.trainer", "--section", part.name, "--rows", file]
        why = ""
        try:
            code = subprocess.run([str(word) for word in command], cwd=ROOT, timeout=part.limit).returncode
            why = f"ended with code {code}" if code else ""
        except subprocess.TimeoutExpired:
            why = f"not done after {part.limit:.0f} s"
        yield from (Row(**json.loads(line)) for line in file.read_text().splitlines())
        if why:
            yield Row(f"{part.name}: failed", None, "", ok=False, note=why)


def _here(part: Part, file: Path) -> None:
    module, _, name = part.function.partition(":")
    section = getattr(import_module(f"tests.benchmarks.{module}"), name)
    with file.open("a") as rows:
        for row in guarded(part.name, section):
            value = "-" if row.value is None else f"{row.value:g}"
            progress(f"    {row.name}: {value} {row.unit} {row.target} {row.note}")
            rows.write(json.dumps(asdict(row)) + "\n")
            rows.flush()


if __name__ == "__main__":
    main()
