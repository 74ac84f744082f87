"""How charts look, in one place: colours, sizes, and figures turned into files.

Colours are those of Okabe and Ito (2008), told apart by people of any colour vision and visible on light and
dark ground. In the SVG the ink follows the page, so that one picture serves both.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trainyard_trainer.report.chart import Chart, Table
from trainyard_trainer.report.words import width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
BLUE, ORANGE, GREEN = SERIES[:3]
OTHER = "#8b949e"
INK, MUTED, GRID = "#1f2329", "#656d77", "#d3d9e0"
DARK_CELL, LIGHT_CELL = "#10151c", "#fdfefe"
"""Text on coloured cells: the cell's colour does not follow the page, so neither does its text."""
WIDTH = 5.4
_FAST = {"compress_level": 4}  # a third of the time, a tenth more bytes
_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)", "#ffffff": "var(--paper)"}
_GROUP_ID = re.compile(r' id="[A-Za-z]+[A-Za-z0-9]*_\d+"')
_FONTS = ["DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "sans-serif"]


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib's settings for the time of a report."""
    import logging

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # a pod has no home for its cache
    import matplotlib
    from cycler import cycler

    settings: Any = {
        "font.family": _installed(),
        "font.size": 9.5,
        "axes.titlesize": 10,
        "axes.labelsize": 9.5,
        "axes.labelcolor": INK,
        "axes.edgecolor": MUTED,
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "text.color": INK,
        "text.parse_math": False,
        "xtick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.color": MUTED,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "legend.fontsize": 8.5,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "patch.linewidth": 0.0,
        "svg.fonttype": "none",
        "figure.facecolor": "white",
        "axes.facecolor": "none",
        "axes.prop_cycle": cycler(color=list(SERIES)),
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Glyph .* missing from font"
        )  # a box in the PNG; the page has the letter
        yield


def _installed() -> list[str]:
    """Fonts that are here; an absent one would be complained about for every text."""
    from matplotlib import font_manager

    present = set(font_manager.get_font_names())
    return [name for name in _FONTS if name in present] or ["DejaVu Sans"]


def figure(height: float = 3.2, wide: float = WIDTH) -> tuple[Figure, Axes]:
    """One pair of axes, laid out so that nothing is cut off. Inches."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(wide, height), layout="constrained")
    return drawn, drawn.add_subplot()


def chart(drawn: Figure, name: str, title: str, says: str, table: Table) -> Chart:
    """The figure as PNG and as SVG."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(drawn)
    if (layout := drawn.get_layout_engine()) is not None:
        layout.execute(drawn)
        drawn.set_layout_engine(None)  # or each file would be laid out again, and drawn twice for it
    png, svg = io.BytesIO(), io.StringIO()
    drawn.savefig(png, format="png", dpi=144, metadata={"Software": None}, pil_kwargs=_FAST)
    with matplotlib.rc_context({"svg.hashsalt": name}):
        drawn.savefig(svg, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return Chart(name, title, says, inline(svg.getvalue()), table, png.getvalue())


def inline(svg: str) -> str:
    """An SVG to stand in a page: no prologue, colours of the page, no names that another picture has too."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = _GROUP_ID.sub("", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    return re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)


def standalone(svg: str) -> bytes:
    """A drawing as a file of its own, where no page gives it colours."""
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(variable, colour)
    return svg.encode()


def colours(count: int, others: bool = False) -> list[str]:
    """One for each of up to six series; grey for what is put together at the end."""
    return [*SERIES[: count - others], *([OTHER] if others else [])]


def shades() -> Any:
    """From next to nothing to much, in one hue."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shades", ["#f2f7fb", "#9ecae1", "#2b83ba", "#08306b"])


def on_shade(value: float) -> str:
    """Colour of a text on a shade, 0 to 1."""
    return LIGHT_CELL if value > 0.5 else DARK_CELL


def whole(axis: Axis) -> None:
    """Ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def logarithmic(axes: Axes) -> None:
    """Heights by their logarithm, with plain numbers at the ticks: formulas are not set here."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def legend(axes: Axes, columns: int = 1, **more: Any) -> None:
    """Below the axes, where it can hide nothing."""
    axes.figure.legend(loc="outside lower center", ncols=columns, **more)


def legend_columns(labels: Sequence[str], wide: float = WIDTH) -> int:
    """As many as fit beside each other."""
    longest = max((width(label) for label in labels), default=1)
    return max(1, min(len(labels), int(wide * 14 / (longest + 5))))
