"""What `trainyard run` shows: a bar while it trains, a table and the next commands when it is done."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from typing_extensions import override

from trainyard.api.wire import Result
from trainyard.local import store
from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.fit.loop import Epoch
from trainyard_trainer.observer import LogObserver, summary
from trainyard_trainer.pipeline import Outcome
from trainyard_trainer.resolve import Job

_SHOWN = ("val_roc_auc", "val_accuracy", "val_rmse", "val_loss", "train_loss")


class PlainObserver(LogObserver):
    """Lines, where there is no terminal."""

    training_seconds = 0.0

    def __enter__(self) -> Self:
        return self

    @override
    def epoch(self, epoch: Epoch, epochs: int, eta_seconds: float) -> None:
        """A line, and the time."""
        self.training_seconds += epoch.seconds
        super().epoch(epoch, epochs, eta_seconds)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class RichObserver:
    """One line that moves."""

    def __init__(self, console: Console) -> None:
        self.training_seconds = 0.0
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[facts]}"),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None, facts="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def stage(self, text: str) -> None:
        """Name what goes on."""
        self._progress.update(self._task, description=escape(text), facts="")

    def data(self, prepared: Prepared) -> None:
        """What was read stays on the screen."""
        self._console.print(f"[bold]data[/]      {escape(summary(prepared))}", highlight=False)
        for notice in prepared.notices:
            self._console.print(f"[yellow]note[/]      {escape(notice)}", highlight=False)

    def begin(self, epochs: int, done: int) -> None:
        """The bar gets a length."""
        if done:
            self._console.print(f"[bold]resuming[/]  after epoch {done}, in the same run", highlight=False)
        self._progress.update(self._task, description="training", total=epochs, completed=done)

    def epoch(self, epoch: Epoch, epochs: int, eta_seconds: float) -> None:
        """Move the bar."""
        self.training_seconds += epoch.seconds
        metric = next(name for name in _SHOWN if name in epoch.metrics)
        rate = epoch.rows / max(epoch.seconds, 1e-9)
        facts = (
            f"epoch {epoch.number}/{epochs}  {metric} {epoch.metrics[metric]:.4f}  "
            f"{rate:,.0f} rows/s  {_clock(eta_seconds)} left"
        )
        self._progress.update(self._task, completed=epoch.number, facts=facts)


def make_observer(console: Console) -> RichObserver | PlainObserver:
    """A moving line on a terminal, plain lines elsewhere."""
    return RichObserver(console) if console.is_terminal else PlainObserver()


def show_success(console: Console, job: Job, outcome: Outcome, training: float, total: float) -> None:
    """The metrics, and where to go from here."""
    table = Table(box=None, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column("metric")
    table.add_column("validation", justify="right")
    table.add_column("test", justify="right")
    names = dict.fromkeys(n.partition("_")[2] for n in outcome.metrics if n.startswith(("val_", "test_")))
    for name in sorted(names, key=lambda n: (f"test_{n}" not in outcome.metrics, n)):
        cells = [outcome.metrics.get(f"{part}_{name}") for part in ("val", "test")]
        table.add_row(name, *("" if value is None else f"{value:.4f}" for value in cells))
    console.print(
        f"[green]✓[/] trained in {training:.1f} s ({total:.1f} s in all); "
        f"epoch {outcome.best_epoch} of {outcome.epochs} is the best on validation",
        highlight=False,
    )
    console.print(table)
    uri = store.shown(job.identity.uri)
    console.print("\n[bold]look[/]")
    page = f"#/experiments/{outcome.experiment_id}/runs/{outcome.run_id}"
    if uri.startswith("http"):
        _command(console, f"{uri.rstrip('/')}/{page}")
    else:
        _command(console, f"mlflow ui --backend-store-uri {uri}")
        _command(console, f"http://127.0.0.1:5000/{page}")
    console.print("[bold]use[/]")
    _command(console, f'import mlflow; mlflow.set_tracking_uri("{uri}")')
    _command(console, f'answers = mlflow.pyfunc.load_model("{outcome.model_uri}").predict(dataframe)')
    console.print("[bold]serve[/]")
    _command(console, f"trainyard serve {outcome.model_uri}{store.option(uri)}")


def show_failure(result: Result) -> None:
    """What happened, and what to do."""
    console = Console(stderr=True)
    if result.cause == "Stopped":
        epochs = f" after epoch {result.epochs}" if result.epochs else ""
        console.print(f"stopped{epochs}; the same command goes on from there", highlight=False)
        return
    label = f"{result.cause.value}: " if result.cause else ""
    console.print(f"[red]✗[/] {label}{escape(result.message or 'failed')}", highlight=False, soft_wrap=True)
    if result.remedy:
        console.print(f"  what to do: {escape(result.remedy)}", highlight=False, soft_wrap=True)


def _command(console: Console, text: str) -> None:
    console.print(f"  {escape(text)}", highlight=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
