"""What `trainyard data` says of a column of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainyard_trainer.data.preview import TextView

_LEVELS = "▁▂▃▄▅▆▇█"
_LABEL = 14
_STEPS = {
    "lower": "lower",
    "contractions": "contractions",
    "strip_apostrophes": "stripApostrophes",
    "drop_unknown_symbols": "dropUnknownSymbols",
}


def shown(view: TextView, width: int) -> Group:
    """Lengths, vocabulary, clean-up and vectors, and the beginning of a text of each class."""
    known, lengths = view.coverage, view.coverage["lengths"]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True, max_width=_LABEL)
    grid.add_column(overflow="fold")
    grid.add_row(
        "text length",
        f"half have at most {lengths['median']:.0f} tokens, the longest {lengths['longest']:,}  "
        f"{_bars(lengths['counts'])} 0 to {lengths['edges'][-1]:.0f}",
    )
    cut = known["truncatedShare"]
    grid.add_row("read", f"up to {known['maxLength']:,} tokens" + (f"; {cut:.1%} are cut" if cut else ""))
    grid.add_row("vocabulary", f"{known['vocabulary']:,} tokens; {_unknown(known)}")
    chosen = [name for step, name in _STEPS.items() if known["normalise"][step]["chosen"]]
    grid.add_row("clean-up", ", ".join(chosen) or "none")
    if vectors := known.get("vectors"):
        grid.add_row(
            "vectors",
            f"{vectors['width']} numbers a word, for {vectors['types']:.1%} of the vocabulary "
            f"({vectors['tokens']:.1%} of the words)",
        )
    for label, text in view.examples:
        beginning = Text(text, style="dim")
        beginning.truncate(max(20, width - _LABEL - 2), overflow="ellipsis")
        name = Text(label, style="green")
        name.truncate(_LABEL, overflow="ellipsis")
        grid.add_row(name, beginning)
    hint = "data.columns.text, data.text: maxLength, vocabularySize, normalise, stopWords, vectors"
    return Group(grid, Text(f"change: {hint}", style="dim italic"))


def _unknown(known: Mapping[str, Any]) -> str:
    """Shares of unknown tokens in words."""
    train, others = known["unknownShare"], known["heldOutUnknownShare"]
    said = f"unknown are {train:.1%} in training texts"
    return said if others is None else f"{said}, {others:.1%} in the others"


def _bars(counts: Sequence[int]) -> str:
    top = max(counts) or 1
    return "".join(_LEVELS[(count * 7 + top - 1) // top] for count in counts)
