"""Boxes and lines: the drawing of a network, as SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from trainyard_model import Layer
from trainyard_trainer.report import style, words

Block = tuple[Layer, set[int]]
"""A block and the positions of those that feed it, all of which come before it."""

_BOX, _HIGH, _STEP = 270, 40, 58
_MARGIN, _GAP, _LANE = 8, 14, 14
_RIGHT = _MARGIN + _BOX
_ENTRIES = 4


def shape_text(shape: Sequence[int]) -> str:
    """`32 × 7`."""
    return " × ".join(f"{size:,}" for size in shape) or "1"


def draw(blocks: Sequence[Block]) -> str:
    """Blocks in the order of execution: a line down feeds the next, a line at the side those further on."""
    used = lanes(blocks)
    wide = _RIGHT + _GAP + _LANE * (1 + max(used.values(), default=0))
    high = _MARGIN * 2 + _STEP * (len(blocks) - 1) + _HIGH
    parts = [_down(i) for i, (_, fed) in enumerate(blocks) if i - 1 in fed]
    parts += [_aside(source, lane, blocks) for source, lane in used.items()]
    parts += [_box(i, layer) for i, (layer, _) in enumerate(blocks)]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}pt" height="{high}pt" '
        f'viewBox="0 0 {wide} {high}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="11">'
        f"{''.join(parts)}</svg>\n"
    )
    return style.inline(svg)


def lanes(blocks: Sequence[Block]) -> dict[int, int]:
    """A lane at the side for each block that feeds others than the next; lanes are used again once free."""
    ends = {source: i for i, (_, fed) in enumerate(blocks) for source in fed if source < i - 1}
    busy: list[int] = []
    found = {}
    for source in sorted(ends):
        lane = next((n for n, until in enumerate(busy) if until <= source), len(busy))
        busy[lane : lane + 1] = [ends[source]]
        found[source] = lane
    return found


def _down(i: int) -> str:
    """From the block before to block i."""
    middle, end = _MARGIN + _BOX // 2, _MARGIN + i * _STEP
    line = f'd="M{middle} {end - _STEP + _HIGH}V{end - 1}" stroke="{style.MUTED}" stroke-width="1.3"'
    head = f"M{middle - 4} {end - 6}L{middle} {end}L{middle + 4} {end - 6}z"
    return f'<path {line} fill="none"/><path d="{head}" fill="{style.MUTED}"/>'


def _aside(source: int, lane: int, blocks: Sequence[Block]) -> str:
    """From a block along its lane into each later one that it feeds."""
    x = _RIGHT + _GAP + _LANE * lane
    colour = style.SERIES[lane % len(style.SERIES)]
    later = [(i, fed) for i, (_, fed) in enumerate(blocks) if source in fed and source < i - 1]
    entries = [_entry(source, i, fed) for i, fed in later]
    start = _MARGIN + source * _STEP + _HIGH - 7
    line = f"M{_RIGHT} {start}H{x}V{entries[-1]}" + "".join(f"M{x} {y}H{_RIGHT + 5}" for y in entries)
    heads = "".join(f"M{_RIGHT + 6} {y - 3.5}L{_RIGHT} {y}L{_RIGHT + 6} {y + 3.5}z" for y in entries)
    stroke = f'stroke="{colour}" stroke-width="1.3" fill="none"'
    return f'<path d="{line}" {stroke}/><path d="{heads}" fill="{colour}"/>'


def _entry(source: int, i: int, fed: set[int]) -> int:
    """Where a line enters block i: each at a height of its own, as long as there are few."""
    place = sorted(s for s in fed if s < i - 1).index(source)
    return _MARGIN + i * _STEP + 6 + 7 * min(place, _ENTRIES - 1)


def _box(i: int, layer: Layer) -> str:
    y = _MARGIN + i * _STEP
    title = layer.name if not layer.kind else f"{layer.name} · {layer.kind}"
    facts = []
    if layer.shape:
        facts.append(f"→ {shape_text(layer.shape)}")
    if layer.parameters:
        facts.append(words.count(layer.parameters, "parameter"))
    x, middle = _MARGIN + 12, y + 17 if facts else y + 25
    rectangle = f'x="{_MARGIN}" y="{y}" width="{_BOX}" height="{_HIGH}" rx="6"'
    out = f'<rect {rectangle} fill="var(--paper)" stroke="{style.MUTED}"/>'
    out += f'<text x="{x}" y="{middle}" fill="{style.INK}">{escape(words.short(title, 38))}</text>'
    if facts:
        small = f'y="{y + 32}" fill="{style.MUTED}" font-size="9.5"'
        out += f'<text x="{x}" {small}>{escape(", ".join(facts))}</text>'
    return out
