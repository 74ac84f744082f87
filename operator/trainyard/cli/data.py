"""`trainyard data FILE`: what a training would see of its data, before any training."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from trainyard.api.base import InvalidManifest
from trainyard.cli.textfacts import shown
from trainyard.cli.thumbnails import drawn
from trainyard.local.manifest import data_job, read_training_job

if TYPE_CHECKING:
    from trainyard_trainer.data.preview import Preview

_INVALID = 64
_MANIFEST = (".yaml", ".yml", ".json")
_WIDE = 110
_BAR = 16
_CLASSES_SHOWN = 12
_COLUMNS_SHOWN = 60
_NARROW, _WHY = 11 + 7 + 9 + 8 + 2, 34  # role, missing, distinct and what stands between; reasons
_COLORS = {
    "numeric": "cyan",
    "categorical": "magenta",
    "text": "cyan",
    "image": "cyan",
    "target": "green",
    "left out": "yellow",
}


def data(file: str, overrides: list[str]) -> int:
    """Look at the data; the exit code is the one that a training would end with because of them.

    Args:
        file: A manifest, a data file or folder, or an address such as sample://poker.
        overrides: PATH=VALUE, paths below `spec`.
    """
    from trainyard.cli.complain import complain, say

    try:
        bare = _is_data(file)
        job = data_job(_address(file), overrides) if bare else read_training_job(Path(file), overrides)
    except InvalidManifest as error:
        for problem in error.problems:
            say(problem, None)
        return _INVALID
    console = Console()
    with console.status("reading the data"):
        from trainyard_trainer.data.preview import preview
        from trainyard_trainer.errors import JobError
        from trainyard_trainer.resolve import inputs_of, refuse_unsupported, token_width
        from trainyard_trainer.resolve_data import data_settings

        try:
            refuse_unsupported(job.spec)
            model = job.spec.model
            width = None if bare else token_width(model)
            settings = data_settings(job.spec.data, None if bare else inputs_of(model), width)
        except JobError as error:
            complain(error)
            return error.exit_code
        with tempfile.TemporaryDirectory(prefix="trainyard-data-") as folder:
            found = preview(settings, Path(folder))
    console.print(_report(found, console.width, bool(console.color_system) and not console.no_color))
    if found.error is not None:
        complain(found.error)
        return found.error.exit_code
    ready = "[green]✓[/] ready to train"
    if found.leakage:
        ready = "[yellow]![/] ready to train, but look at the possible leakage first"
    console.print(
        f"{ready}\n  try a change with --set, for example --set data.split.test=0.2", highlight=False
    )
    return 0


def _is_data(file: str) -> bool:
    """Whether it is data, and no manifest."""
    return "://" in file or Path(file).suffix.lower() not in _MANIFEST


def _address(file: str) -> str:
    return file if "://" in file else str(Path(file).resolve())


def _report(found: Preview, width: int, colours: bool) -> Group:
    parts: list[RenderableType] = [_source(found)]
    if found.columns:
        parts += [Text(), _columns(found, width)]
    if found.images:
        parts += [Text(), drawn(found.images, width, colours)]
    if found.texts is not None:
        parts += [Text(), shown(found.texts, width)]
    if found.parts:
        parts += [Text(), _target(found, width), Text(), _digests(found)]
    if found.notices or found.leakage:
        parts += [Text(), _notes(found)]
    return Group(*parts, Text())


def _facts() -> Table:
    """Names at the left, facts at the right."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _source(found: Preview) -> Table:
    grid = _facts()
    sizes, pins = found.sizes or (None,) * len(found.uris), found.pins or (None,) * len(found.uris)
    for i, (uri, size, pin) in enumerate(zip(found.uris, sizes, pins, strict=True)):
        bytes_ = "" if size is None else f"  {_bytes(size)}"
        grid.add_row("and" if i else "data", Text(uri) + Text(bytes_, style="dim"))
        if pin:
            grid.add_row("", Text(f"sha256 {pin}", style="dim"))
    if found.rows:
        grid.add_row("rows", f"{found.rows:,} in {len(found.columns)} columns")
    if found.folds:
        grid.add_row(
            "folds", f"{found.folds[0]}, {found.folds[1]} times over, of the train and validation rows"
        )
    if found.need:
        grid.add_row("memory", found.need.partition(" needs ")[2].replace(" of memory, of", " of"))
    return grid


def _columns(found: Preview, width: int) -> Group:
    """A line for each column; what does not fit is cut, not wrapped, where the terminal is narrow."""
    wide = width >= _WIDE
    names = min(32 if wide else 20, max(6, *(len(view.name) for view in found.columns)))
    values = width - names - _NARROW - (_WHY + 2 if wide else 0)
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("column", "role", "missing", "distinct", "values", *(("why",) if wide else ())):
        table.add_column(title, justify="right" if title in ("missing", "distinct") else "left", no_wrap=True)
    for view in found.columns[:_COLUMNS_SHOWN]:
        cells = [
            _cut(view.name, names),
            Text(view.role, style=_COLORS.get(view.role, "")),
            Text(f"{view.missing:.1%}" if view.missing else ""),
            Text(f"{view.distinct:,}" if view.exact else f">= {view.distinct:,}"),
            _cut(view.values, values),
            _cut(view.why, _WHY, "dim"),
        ]
        table.add_row(*cells[: 6 if wide else 5])
    if (more := len(found.columns) - _COLUMNS_SHOWN) > 0:
        table.add_row(Text(f"and {more} more", style="dim"))
    hint = "data.columns: drop, numeric, categorical, key, weight"
    return Group(table, Text(f"change: {hint}", style="dim italic"))


def _cut(text: str, width: int, style: str = "") -> Text:
    shown = Text(text, style=style)
    shown.truncate(width, overflow="ellipsis")
    return shown


def _target(found: Preview, width: int) -> Group:
    """One row for each class, or one for all of a regression; a column for each part."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    names = ", ".join(found.targets)
    table.add_column(_cut(f"target {names}", 28 if width < _WIDE else 48), no_wrap=True)
    table.add_column(found.task.lower())
    for part in found.parts:
        table.add_column(part.name, justify="right")
    rows = sum(part.rows for part in found.parts)
    counts = [sum(part.labels[i] for part in found.parts) for i in range(len(found.classes))]
    for i, label in list(enumerate(found.classes))[:_CLASSES_SHOWN]:
        share = counts[i] / max(rows, 1)
        positive = "  positive" if len(found.classes) == 2 and i == 1 else ""
        table.add_row(
            _cut(str(label), 28 if width < _WIDE else 48),
            Text("█" * max(1, round(_BAR * share)), style="green")
            + Text(f" {share:.1%}{positive}", style="dim"),
            *(f"{part.labels[i]:,}" for part in found.parts),
        )
    if (more := len(found.classes) - _CLASSES_SHOWN) > 0:
        table.add_row(Text(f"and {more} more classes", style="dim"))
    table.add_row("rows", "", *(f"{part.rows:,}" for part in found.parts), style="bold")
    table.add_row(
        Text("share", style="dim"), "", *(f"{part.rows / max(rows, 1):.1%}" for part in found.parts)
    )
    hint = "data.target, data.task, data.positiveClass, data.split.by/test/seed"
    return Group(table, Text(f"change: {hint}", style="dim italic"))


def _digests(found: Preview) -> Table:
    grid = _facts()
    grid.add_row("data digest", Text(found.data_digest, style="dim"))
    if any(part.rows for part in found.parts if part.name == "test"):
        grid.add_row("test digest", Text(found.holdout_digest, style="dim"))
    return grid


def _notes(found: Preview) -> Table:
    grid = _facts()
    for notice in found.notices:
        grid.add_row("[yellow]note[/]", escape(notice))
    for notice in found.leakage:
        grid.add_row("[red]leak?[/]", escape(notice.removeprefix("possible leakage: ")))
    return grid


def _bytes(size: int) -> str:
    for unit, scale in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << scale:
            return f"{size / (1 << scale):.1f} {unit}"
    return f"{size} bytes"
