"""`trainyard rerun RUN`: the same again from what the run logged, and whether the same came out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from trainyard.cli.train import Finished
    from trainyard.local.repeat import Difference, Verdict
    from trainyard.local.runs import RunRecord
    from trainyard_trainer.resolve import Job

_DIFFERS = 1


def rerun(run_id: str, tracking_uri: str | None, any_data: bool) -> int:
    """Repeat a run as a new one: 0 when the metrics are equal, 1 when they are not, else the trainer's code.

    Args:
        run_id: The run to repeat.
        tracking_uri: MLflow; MLFLOW_TRACKING_URI or the SQLite file of this folder where silent.
        any_data: Train even if the data are not those of the run.
    """
    from trainyard.cli.complain import complain
    from trainyard.cli.train import train
    from trainyard.local import store
    from trainyard.local.rundir import RunFolder
    from trainyard.local.runs import RunStore
    from trainyard_trainer.errors import JobError

    console = Console()
    try:
        with console.status("reading the run"):
            runs = RunStore(tracking_uri)
            record = runs.get(run_id)
    except JobError as error:
        complain(error)
        return error.exit_code
    with RunFolder.open("rerun", run_id, runs.uri, any_data) as folder:

        def make_job() -> Job:
            from trainyard.local.repeat import as_repetition, logged_attempt
            from trainyard_trainer.resolve import resolve

            attempt = logged_attempt(runs, record, folder.uid)
            return as_repetition(resolve(attempt, store.artifact_root(runs.uri)), record, any_data)

        finished = train(console, folder, make_job)
    if isinstance(finished, int):
        return finished
    return _show(console, record, finished)


def _show(console: Console, record: RunRecord, finished: Finished) -> int:
    from trainyard.local.repeat import DIGEST, judge
    from trainyard_trainer.tracking.provenance import provenance

    verdict = judge(record, finished.result, provenance())
    where = f"run {finished.result.run_id} repeats {record.run_id}"
    if verdict.identical:
        console.print(f"[green]✓[/] {where}: bit-identical (the packages have one SHA-256)", soft_wrap=True)
    elif verdict.equal:
        console.print(f"[green]✓[/] {where}: every metric is equal", highlight=False, soft_wrap=True)
    else:
        console.print(f"[red]✗[/] {where}: what came out differs", highlight=False, soft_wrap=True)
    if finished.outcome.data_digest != record.tags.get(DIGEST):
        console.print("[yellow]![/] the data are not those of the run that was repeated", highlight=False)
    _tables(console, verdict)
    if not verdict.equal and not finished.job.fit.deterministic:
        console.print(
            "training.deterministic was off: set it to repeat runs bit by bit on one machine", soft_wrap=True
        )
    return 0 if verdict.equal else _DIFFERS


def _tables(console: Console, verdict: Verdict) -> None:
    for title, rows in (("metric", verdict.metrics), ("version", verdict.versions)):
        if rows:
            console.print(_table(title, rows), highlight=False)


def _table(title: str, rows: tuple[Difference, ...]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 3, 0, 0))
    for heading in (title, "then", "now"):
        table.add_column(heading)
    for row in rows:
        table.add_row(escape(row.name), escape(row.before), escape(row.now))
    return table
