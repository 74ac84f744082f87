"""What `trainyard run` says when it is done: how good the model is, where to look, how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trainyard.api.wire import Result
from trainyard.cli.complain import say
from trainyard.cli.train import Finished
from trainyard.local import store
from trainyard.local.progress import clock
from trainyard.local.summary import MetricRow, metric_rows
from trainyard_trainer.evaluate.names import maximised


def show_success(console: Console, finished: Finished) -> None:
    """The metrics, and where to go from here."""
    outcome = finished.outcome
    console.print(
        f"[green]✓[/] trained in {clock(finished.training_seconds)} ({clock(finished.seconds)} in all); "
        f"epoch {outcome.best_epoch} of {outcome.epochs} is the best on validation",
        highlight=False,
    )
    rows = metric_rows(outcome.metrics, outcome.evaluation or {})
    console.print(_table(rows, *_constant(outcome.evaluation or {})[:1]))
    for line in _notes(rows, outcome.evaluation or {}):
        console.print(f"[dim]{escape(line)}[/]", highlight=False)
    _show_next(console, finished)


def show_failure(result: Result) -> None:
    """What happened, and what to do."""
    if result.cause == "Stopped":
        epochs = f" after epoch {result.epochs}" if result.epochs else ""
        Console(stderr=True).print(f"stopped{epochs}; the same command goes on from there", highlight=False)
        return
    label = f"{result.cause.value}: " if result.cause else ""
    say(result.message or "failed", result.remedy, label)


def _constant(evaluation: Mapping[str, Any]) -> tuple[str, str]:
    """The baseline that looks at no column: its name, and what it says."""
    if evaluation.get("task") == "Regression":
        return "mean", "always the mean of the training rows"
    return "majority", "always the commonest class"


def _table(rows: list[MetricRow], constant: str) -> Table:
    """Only columns that have something in them."""
    columns = {
        "val": [_number(row.validation) for row in rows],
        "folds": [_number(row.oof) for row in rows],
        "test": [_number(row.test) for row in rows],
        "95 % interval": [_interval(row.interval) for row in rows],
        "baseline": [_number(row.baseline) for row in rows],
        constant: [_number(row.majority) for row in rows],
    }
    shown = {heading: cells for heading, cells in columns.items() if any(cells)}
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("metric", no_wrap=True)
    for heading in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    for i, row in enumerate(rows):
        table.add_row(escape(row.name), *(cells[i] for cells in shown.values()))
    return table


def _notes(rows: list[MetricRow], evaluation: Mapping[str, Any]) -> list[str]:
    """What the words of the table mean, and the warning that a newcomer would not think of."""
    notes = []
    if any(row.baseline is not None for row in rows):
        notes.append("baseline: a linear model on the same rows; {}: {}".format(*_constant(evaluation)))
    deciding = str(evaluation.get("metric") or "").partition("_")[2]
    row = next((r for r in rows if r.name == deciding), None)
    if row is not None and row.interval and row.baseline is not None:
        low, high = row.interval
        if low <= row.baseline <= high:
            notes.append(f"the baseline's {row.name} lies in the interval: a simpler model may do as well")
        elif (row.baseline > high) == maximised(row.name):
            notes.append(f"the baseline's {row.name} is better: a simpler model does better here")
    return notes


def _show_next(console: Console, finished: Finished) -> None:
    outcome = finished.outcome
    uri = store.shown(finished.job.identity.uri)
    console.print("\n[bold]look[/]")
    page = f"#/experiments/{outcome.experiment_id}/runs/{outcome.run_id}"
    if uri.startswith("http"):
        _command(console, f"{uri.rstrip('/')}/{page}")
    else:
        _command(console, f"mlflow ui --backend-store-uri {uri}")
        _command(console, f"http://127.0.0.1:5000/{page}")
    option = store.option(uri)
    _command(console, f"trainyard compare {finished.job.identity.experiment}{option}")
    console.print("[bold]use[/]")
    argument = f', "{uri}"' if option else ""
    _command(console, f'import trainyard; model = trainyard.load("{outcome.model_uri}"{argument})')
    _command(console, "model.predict(dataframe); model.explain(dataframe)")
    console.print("[bold]serve[/]")
    _command(console, f"trainyard serve {outcome.model_uri}{option}")


def _command(console: Console, text: str) -> None:
    console.print(f"  {escape(text)}", highlight=False, soft_wrap=True)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"


def _interval(bounds: tuple[float, float] | None) -> str:
    if bounds is None:
        return ""
    digits = 3 if max(map(abs, bounds)) < 10 else 1
    return escape("[{:,.{d}f}, {:,.{d}f}]".format(*bounds, d=digits))
