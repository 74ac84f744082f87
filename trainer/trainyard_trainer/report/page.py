"""One HTML page with everything in it: no script, no other host, readable on a phone and in the dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from trainyard_trainer.report import words
from trainyard_trainer.report.chart import Block, Chart, Listing, Passage, Passages, Section, plain

_CELL = 60
_FAINT = 0.08
_WIDE = 430
_FOR, _AGAINST = "213,94,0", "0,114,178"
_STYLE = """
:root{color-scheme:light dark;--ink:#1f2329;--muted:#59636e;--grid:#d3d9e0;--paper:#fff;
--ground:#f5f7f9;--accent:#0062a3}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaef;--muted:#a0a9b4;--grid:#3a424c;--paper:#171b21;
--ground:#0e1116;--accent:#6cb6ff}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:62rem;margin:0 auto;padding:1rem}
header h1{font-size:1.6rem;line-height:1.2;margin:.6rem 0 .2rem;overflow-wrap:anywhere}
header p{color:var(--muted);margin:0 0 1rem}
dl{display:flex;flex-wrap:wrap;gap:.6rem 2.2rem;margin:0 0 1rem}
dl div{display:flex;flex-direction:column-reverse}
dt{color:var(--muted);font-size:.8rem}dd{margin:0;font-size:1.5rem;font-weight:600;line-height:1.2}
nav{display:flex;flex-wrap:wrap;gap:.3rem 1rem;margin-bottom:1rem;font-size:.9rem}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
section{background:var(--paper);border:1px solid var(--grid);border-radius:10px;
padding:1rem 1.2rem;margin-bottom:1rem}
h2{font-size:1.2rem;margin:.1rem 0 .6rem}h3{font-size:1rem;margin:0 0 .3rem;overflow-wrap:anywhere}
section>p{margin:.3rem 0;max-width:48rem;overflow-wrap:anywhere}
#verdict p{font-size:1.05rem}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:1.4rem;margin-top:1rem}
figure,.table{margin:0;min-width:0}
figure.wide{grid-column:1/-1}
figcaption,.says{color:var(--muted);font-size:.85rem;margin:.2rem 0;max-width:48rem}
.plot{overflow-x:auto}
.plot svg{display:block;height:auto}
.plot image{image-rendering:pixelated}
.table{margin-top:1.2rem;grid-column:1/-1}
.passage{margin:.7rem 0;padding-left:.8rem;border-left:3px solid var(--grid);max-width:48rem}
.passage p{margin:0;overflow-wrap:anywhere;white-space:pre-line}
.passage .says{font-weight:600}
mark{color:inherit;border-radius:3px;padding:0 .08em}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .7rem .25rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid);
white-space:nowrap}
th{color:var(--muted);font-weight:600}td.n,th.n{text-align:right}
summary{cursor:pointer;font-weight:600}
footer{color:var(--muted);font-size:.85rem;padding:0 .2rem 2rem}
@media (max-width:40rem){main{padding:.5rem}section{padding:.8rem}}
@media print{section{break-inside:avoid}nav{display:none}}
"""


def render(title: str, under: str, facts: Sequence[tuple[str, str]], sections: Sequence[Section]) -> bytes:
    """The page, from the verdict down; `facts` are a few names and values for its top."""
    links = "".join(f'<a href="#{s.anchor}">{escape(s.title)}</a>' for s in sections)
    body = "\n".join(_section(s) for s in sections)
    told = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(words.short(title, 60))} · Trainyard report</title><style>{_STYLE}</style></head>\n"
        f"<body><main><header><h1>{escape(title)}</h1><p>{escape(under)}</p><dl>{told}</dl></header>"
        f'<nav aria-label="Sections">{links}</nav>\n{body}\n'
        "<footer>Beside this page lie every picture as PNG or SVG and the numbers in each as JSON, "
        "by the same name.</footer></main></body></html>\n"
    ).encode()


def _section(section: Section) -> str:
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in section.sentences if sentence)
    blocks = "".join(_block(block) for block in section.blocks)
    grid = f'<div class="charts">{blocks}</div>' if blocks else ""
    return f'<section id="{section.anchor}"><h2>{escape(section.title)}</h2>{said}{grid}</section>'


def _block(block: Block) -> str:
    if isinstance(block, Chart):
        return _chart(block)
    return _table(block) if isinstance(block, Listing) else _passages(block)


def _passages(block: Passages) -> str:
    """Texts under each other, each with its heading; marks are as strong as what they stand for."""
    inner = "".join(_passage(passage) for passage in block.passages)
    left = len(block.table.data) - len(block.passages)
    if left > 0:
        inner += f'<p class="says">{left:,} more in {escape(block.name)}.json</p>'
    says = f'<p class="says">{escape(block.says)}</p>' if block.says else ""
    return _titled(block.title, says + inner, block.folded)


def _passage(passage: Passage) -> str:
    text = "".join(_span(words_, weight) for words_, weight in passage.spans) or "(empty)"
    return f'<div class="passage"><p class="says">{escape(passage.heading)}</p><p>{text}</p></div>'


def _span(text: str, weight: float) -> str:
    if abs(weight) < _FAINT or not text.strip():
        return escape(text)
    colour = _FOR if weight > 0 else _AGAINST
    return f'<mark style="background:rgba({colour},{min(abs(weight), 1.0) * 0.7:.2f})">{escape(text)}</mark>'


def _titled(title: str, inner: str, folded: bool) -> str:
    if folded:
        return f'<details class="table"><summary>{escape(title)}</summary>{inner}</details>'
    return f'<div class="table"><h3>{escape(title)}</h3>{inner}</div>'


def _chart(chart: Chart) -> str:
    """The picture shrinks with the page down to where its text is still read, then it scrolls."""
    natural = _natural_width(chart.svg)
    least = natural * (0.95 if natural > _WIDE else 0.78)
    size = f"width:100%;max-width:{natural * 1.15:.0f}px;min-width:{least:.0f}px"
    svg = chart.svg.replace(
        "<svg ", f'<svg role="img" aria-label="{escape(chart.title, quote=True)}" style="{size}" ', 1
    )
    says = f"<figcaption>{escape(chart.says)}</figcaption>" if chart.says else ""
    wide = ' class="wide"' if natural > _WIDE else ""
    return f'<figure{wide}><h3>{escape(chart.title)}</h3>{says}<div class="plot">{svg}</div></figure>'


def _natural_width(svg: str) -> float:
    """Points; a page shows about as many pixels."""
    return float(svg.split('width="', 1)[1].split("pt", 1)[0])


def _table(listing: Listing) -> str:
    table = listing.table
    shown = listing.columns or table.columns
    places = [table.columns.index(name) for name in shown]
    rows = [[row[place] for place in places] for row in table.data[: listing.shown]]
    numeric = [all(_is_number(row[i]) for row in rows) and bool(rows) for i in range(len(places))]
    head = "".join(
        f"<th{_kind(n)}>{escape(words.short(name, 28))}</th>" for name, n in zip(shown, numeric, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(_cell(value, n) for value, n in zip(row, numeric, strict=True)) + "</tr>"
        for row in rows
    )
    left = len(table.data) - len(rows)
    more = f'<p class="says">{left:,} more in {escape(listing.name)}.json</p>' if left > 0 else ""
    says = f'<p class="says">{escape(listing.says)}</p>' if listing.says else ""
    inner = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    grid = f'{says}<div class="scroll"><table>{inner}</table></div>{more}'
    return _titled(listing.title, grid, listing.folded)


def _is_number(value: Any) -> bool:
    value = plain(value)
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _kind(numeric: bool) -> str:
    return ' class="n"' if numeric else ""


def _cell(value: Any, numeric: bool) -> str:
    value = plain(value)
    if isinstance(value, float) and not math.isfinite(value):
        value = None
    text = f"{value:.4f}" if isinstance(value, float) and 1e-3 <= abs(value) < 10 else words.number(value)
    short = text if len(text) <= _CELL else words.short(text, _CELL)
    title = f' title="{escape(text[:300], quote=True)}"' if short != text else ""
    return f"<td{_kind(numeric)}{title}>{escape(short)}</td>"
