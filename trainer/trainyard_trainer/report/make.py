"""All of a report from what was found."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainyard_trainer.report import (
    calibration,
    confusion,
    examples,
    features,
    importance,
    learning,
    page,
    passages,
    pictures,
    residuals,
    scores,
    separation,
    structure,
    style,
    tokens,
    verdict,
    words,
)
from trainyard_trainer.report.chart import Chart, Section
from trainyard_trainer.report.findings import Findings

PAGE = "report.html"
_log = logging.getLogger(__name__)
_SECTIONS: tuple[Callable[[Findings], Section | None], ...] = (
    verdict.section,
    scores.section,
    learning.section,
    confusion.section,
    residuals.section,
    separation.section,
    calibration.section,
    tokens.section,
    pictures.classes,
    importance.section,
    pictures.attention,
    features.section,
    examples.section,
    passages.section,
    pictures.section,
    structure.section,
)


@dataclass(frozen=True, slots=True)
class Report:
    """Files by name: `report.html`, and of each chart a picture and a table."""

    files: dict[str, bytes]

    def write(self, folder: Path) -> list[Path]:
        """The files into a folder, which is made; their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return [folder / name for name in self.files]


def make_report(findings: Findings) -> Report:
    """Charts, tables and the page.

    A part that fails is named on the page and leaves the others: no report is worth a finished training.
    """
    with style.styled():
        sections = [made for section in _SECTIONS if (made := _made(section, findings)) is not None]
    files = {PAGE: page.render(findings.name, _under(findings), verdict.facts(findings), sections)}
    for section in sections:
        for block in section.blocks:
            files[f"{block.name}.json"] = block.table.to_json()
            if isinstance(block, Chart) and block.png is not None:
                files[f"{block.name}.png"] = block.png
            elif isinstance(block, Chart):
                files[f"{block.name}.svg"] = style.standalone(block.svg)
    return Report(files)


def _made(section: Callable[[Findings], Section | None], findings: Findings) -> Section | None:
    try:
        return section(findings)
    except Exception as error:
        name = section.__module__.rpartition(".")[2]
        _log.exception("the report's part '%s' could not be made", name)
        what = f"This part could not be made: {type(error).__name__}: {error}"
        return Section(name, name.capitalize(), [what])


def _under(f: Findings) -> str:
    """The line under the title."""
    what = words.listed([f"“{words.short(name)}”" for name in f.targets[:3]])
    more = f" and {len(f.targets) - 3:,} more" if len(f.targets) > 3 else ""
    kinds = f" into {words.count(len(f.classes), 'class', 'classes')}" if f.classification else ""
    rows = words.count(len(f.judged), f"{f.part} row")
    return f"{f.task} of {what}{more}{kinds} by {f.family} from {f.takes}, judged on {rows}"
