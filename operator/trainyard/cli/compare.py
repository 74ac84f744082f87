"""`trainyard compare RUN...`: what differs between runs, and which is better if that can be said."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from trainyard.local.comparison import Comparison, Measured, Row

_INVALID = 64
_LABEL, _WIDE, _NARROW = 26, 25, 17
_VAL = "val_"


class Output(StrEnum):
    """How the comparison is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def compare(
    names: Sequence[str], tracking_uri: str | None, output: Output, last: int, everything: bool
) -> int:
    """Compare runs; the contract's exit code where they cannot be had.

    Args:
        names: Ids of runs, or names of experiments for their latest runs.
        tracking_uri: MLflow; MLFLOW_TRACKING_URI or the SQLite file of this folder where silent.
        output: A table, JSON or CSV.
        last: How many runs an experiment's name stands for.
        everything: Every metric in the table, validation's and the baselines' too.
    """
    from trainyard.cli.complain import complain
    from trainyard_trainer.errors import InvalidSpec, JobError

    try:
        from trainyard.local.comparison import compare as put_side_by_side
        from trainyard.local.runs import RunStore

        runs = RunStore(tracking_uri).find(names, last)
        if len(runs) < 2:
            raise InvalidSpec(
                f"there is one run only ({runs[0].run_id})" if runs else "there is no run yet",
                "name two runs or more, or an experiment with several",
            )
        comparison = put_side_by_side(runs)
    except JobError as error:
        complain(error)
        return error.exit_code
    match output:
        case Output.JSON:
            print(json.dumps(as_json(comparison), indent=2, ensure_ascii=False))
        case Output.CSV:
            csv.writer(sys.stdout, lineterminator="\n").writerows(as_rows(comparison))
        case Output.TABLE:
            _show(Console(), comparison, everything)
    return 0


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Everything, for programs: one object a run, and what differs by name in the order of runs."""
    return {
        "runs": [
            {
                "id": r.run_id,
                "name": r.name,
                "experiment": r.experiment,
                "status": r.status,
                "seconds": r.seconds,
                "params": dict(r.params),
                "tags": {k: v for k, v in r.tags.items() if not k.startswith("mlflow.")},
            }
            for r in comparison.runs
        ],
        "parameters": comparison.parameters,
        "data": comparison.data,
        "versions": comparison.versions,
        "metrics": [dataclasses.asdict(row) for row in comparison.metrics],
        "deciding": comparison.deciding,
        "warnings": comparison.warnings,
    }


def as_rows(comparison: Comparison) -> list[list[object]]:
    """A table for spreadsheets: a line a run; every metric with the bounds that it has."""
    head = ["run", "name", "experiment", "status", "seconds"]
    differing = {**comparison.data, **comparison.versions, **comparison.parameters}
    lines: list[list[object]] = [
        [r.run_id, r.name, r.experiment, r.status, r.seconds, *(v[i] for v in differing.values())]
        for i, r in enumerate(comparison.runs)
    ]
    head += differing
    for row in comparison.metrics:
        bounded = any(m is not None and m.interval is not None for m in row.values)
        head += [row.name, *([f"{row.name}_low", f"{row.name}_high"] if bounded else [])]
        for line, measured in zip(lines, row.values, strict=True):
            low, high = (measured and measured.interval) or (None, None)
            line += [measured and measured.value, *([low, high] if bounded else [])]
    return [list(head), *lines]


def _show(console: Console, comparison: Comparison, everything: bool) -> None:
    from trainyard.local.comparison import overlap_note

    for warning in comparison.warnings:
        console.print(f"[yellow]![/] {escape(warning)}", highlight=False, soft_wrap=True)
    wide = console.width >= _LABEL + _WIDE * len(comparison.runs)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=False, max_width=_LABEL)
    for run in comparison.runs:
        table.add_column(f"{run.short}\n{escape(run.name)}", max_width=_WIDE if wide else _NARROW)
    table.add_row("took", *(_took(run.seconds) for run in comparison.runs))
    sections = [("data", comparison.data), ("versions", comparison.versions)]
    for title, rows in [*sections, ("parameters that differ", comparison.parameters)]:
        if rows:
            table.add_section()
            table.add_row(f"[bold]{title}[/]")
            for name, values in rows.items():
                table.add_row(_label(name), *(_text(name, value) for value in values))
    table.add_section()
    table.add_row("[bold]metrics[/]")
    shown = [row for row in comparison.metrics if everything or _worth_showing(row, comparison)]
    for row in shown:
        table.add_row(escape(row.name), *(_cell(row, i, m, wide) for i, m in enumerate(row.values)))
    console.print(table, highlight=False)
    if not comparison.parameters:
        console.print("no parameter differs", highlight=False)
    deciding = next((row for row in comparison.metrics if row.name == comparison.deciding), None)
    if deciding is not None and (note := overlap_note(comparison, deciding)):
        console.print(escape(note), highlight=False, soft_wrap=True)


def _worth_showing(row: Row, comparison: Comparison) -> bool:
    """Test and out-of-fold values; validation's where a run has nothing better, or none decides else."""
    if "_baseline_" in row.name or "_majority_" in row.name:
        return False
    tested = any(not other.name.startswith(_VAL) for other in comparison.metrics)
    return not row.name.startswith(_VAL) or not tested


def _cell(row: Row, place: int, measured: Measured | None, wide: bool) -> str:
    if measured is None:
        return ""
    value = f"{measured.value:.4g}" if abs(measured.value) >= 1000 else f"{measured.value:.4f}"
    if row.best == place:
        value = f"[bold green]{value} *[/]"
    if measured.interval is None:
        return value
    low, high = measured.interval
    bounds = escape(f"[{low:.3f}, {high:.3f}]")
    return f"{value} [dim]{bounds}[/]" if wide else f"{value}\n[dim]{bounds}[/]"


def _label(name: str) -> str:
    return escape(name.removeprefix("trainyard."))


def _text(name: str, value: str | None) -> str:
    """Digests are told apart by their beginning."""
    if value is None:
        return "[dim]-[/]"
    return escape(value[:12] if name.endswith("Digest") else value)


def _took(seconds: float | None) -> str:
    if seconds is None:
        return "[dim]-[/]"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
