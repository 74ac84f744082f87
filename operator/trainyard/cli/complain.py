"""How every command says that something went wrong: what, where, and what to do."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from trainyard_trainer.errors import JobError


def complain(error: JobError) -> None:
    """One line, and the remedy below it, on stderr."""
    say(error.message, error.remedy, f"{error.cause}: " if error.cause else "")


def say(message: str, remedy: str | None, label: str = "") -> None:
    """The same from a message that is no exception."""
    console = Console(stderr=True)
    console.print(f"[red]✗[/] {label}{escape(message)}", highlight=False, soft_wrap=True)
    if remedy:
        console.print(f"  what to do: {escape(remedy)}", highlight=False, soft_wrap=True)
