"""What is seen of a training on this machine.

A live display on a terminal, one moving line in a notebook, plain lines where neither is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.text import Text

from trainyard_trainer.data.prepare import Prepared
from trainyard_trainer.fit.loop import Epoch
from trainyard_trainer.observer import Headline, LogObserver, Mute, summary

_REDRAW_SECONDS = 0.2


class PlainObserver(LogObserver):
    """Lines."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class RichObserver:
    """A bar with what is behind it, on two lines that stay in place."""

    def __init__(self, console: Console, metric: str | None = None) -> None:
        self.headline = Headline(metric)
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[facts]}"),
            console=console,
        )
        self._task: TaskID = self._progress.add_task("starting", total=None, facts="")
        self._below = Text("", no_wrap=True, overflow="ellipsis")
        self._live = Live(
            Group(self._progress, self._below), console=console, transient=True, refresh_per_second=8
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def stage(self, text: str) -> None:
        """Name what goes on."""
        self._progress.remove_task(self._task)  # a task that had a length never loses it
        self._task = self._progress.add_task(escape(text), total=None, facts="")
        self._below.plain = ""

    def data(self, prepared: Prepared) -> None:
        """What was read stays on the screen."""
        self.headline.data(prepared)
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
        rate = epoch.rows / max(epoch.seconds, 1e-9)
        facts = f"epoch {epoch.number}/{epochs}  {rate:,.0f} rows/s  {clock(eta_seconds)} left"
        self._progress.update(self._task, completed=epoch.number, facts=facts)
        self._below.plain = f"  {self.headline.epoch(epoch)}"

    def fold(self, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Move the bar by a fold."""
        self._progress.update(
            self._task, description="folds", total=total, completed=done, facts=f"{done}/{total}"
        )
        self._below.plain = "  " + self.headline.fold(metrics)


class LineObserver:
    """One line that is written over with a carriage return, which every notebook understands."""

    def __init__(self, file: TextIO | None = None, metric: str | None = None) -> None:
        self.headline = Headline(metric)
        self._file = file or sys.stdout
        self._width, self._drawn = 0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draw("", now=True)

    def stage(self, text: str) -> None:
        """Name what goes on."""
        self._draw(text, now=True)

    def data(self, prepared: Prepared) -> None:
        """What was read stays."""
        self.headline.data(prepared)
        self._draw("", now=True)
        for line in (summary(prepared), *prepared.notices):
            print(line, file=self._file, flush=True)

    def begin(self, epochs: int, done: int) -> None:
        """A line only when it is a resumption."""
        if done:
            self._draw("", now=True)
            print(f"resuming after epoch {done} of {epochs}", file=self._file, flush=True)

    def epoch(self, epoch: Epoch, epochs: int, eta_seconds: float) -> None:
        """Bar, metric, time left."""
        text = f"{_bar(epoch.number / epochs)} epoch {epoch.number}/{epochs}  {self.headline.epoch(epoch)}"
        self._draw(f"{text}  {clock(eta_seconds)} left", now=epoch.number == epochs)

    def fold(self, done: int, total: int, metrics: Mapping[str, float]) -> None:
        """Bar and fold."""
        self._draw(
            f"{_bar(done / total)} fold {done}/{total}  {self.headline.fold(metrics)}", now=done == total
        )

    def _draw(self, text: str, *, now: bool) -> None:
        if not text and not self._width:
            return
        if not now and time.monotonic() - self._drawn < _REDRAW_SECONDS:
            return
        self._drawn = time.monotonic()
        end = "" if text else "\r"
        print(f"\r{text.ljust(self._width)}", end=end, file=self._file, flush=True)
        self._width = len(text)


LocalObserver = RichObserver | LineObserver | PlainObserver


def make_observer(console: Console, metric: str | None) -> LocalObserver:
    """What suits the place where this runs; `metric` is the one that the specification names, if any."""
    if console.is_jupyter:
        return LineObserver(metric=metric)
    return RichObserver(console, metric) if console.is_terminal else PlainObserver(metric)


class Silent(Mute, PlainObserver):
    """Nothing at all."""


def clock(seconds: float) -> str:
    """Seconds as people say them.

    >>> clock(7.4), clock(125)
    ('7 s', '2 min 05 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _bar(share: float, width: int = 20) -> str:
    full = round(share * width)
    return "█" * full + "░" * (width - full)
