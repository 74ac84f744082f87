"""The network as a drawing and as a table."""

from __future__ import annotations

from collections.abc import Sequence

from trainyard_model import Layer
from trainyard_trainer.report import graph, words
from trainyard_trainer.report.chart import Chart, Listing, Section, Table
from trainyard_trainer.report.findings import Findings

_HEAD, _TAIL = 14, 10


def section(f: Findings) -> Section | None:
    """Blocks from top to bottom, and every layer with its parameters."""
    if not f.layers:
        return None
    total = sum(layer.parameters for layer in f.layers if layer.depth == 0)
    data = [
        ["· " * layer.depth + layer.name, layer.kind, graph.shape_text(layer.shape), layer.parameters]
        for layer in f.layers
    ]
    table = Table(("layer", "kind", "output of a row", "parameters"), data)
    listing = Listing(
        "layers", "Layers", table, shown=400, says="A part is counted where it first occurs.", folded=True
    )
    sentence = f"The {f.family} network has {words.count(total, 'trained number')}."
    return Section("model", "The model", [sentence], [_chart(f), listing])


def _chart(f: Findings) -> Chart:
    blocks = outline(f.layers, f.takes)
    columns = ("block", "kind", "parameters", "fed by")
    data = [
        [layer.name, layer.kind, layer.parameters, ", ".join(blocks[s][0].name for s in sorted(fed))]
        for layer, fed in blocks
    ]
    says = "A line at the side leads to later blocks." if graph.lanes(blocks) else ""
    return Chart("model", "From input to output", says, graph.draw(blocks), Table(columns, data))


def outline(layers: Sequence[Layer], said: str) -> list[graph.Block]:
    """Input and outermost blocks with the positions of what feeds them, without the middle of very many."""
    outer = [i for i, layer in enumerate(layers) if layer.depth == 0]
    left = outer[_HEAD:-_TAIL] if len(outer) > _HEAD + _TAIL + 1 else []
    place = {-1: 0}
    blocks: list[graph.Block] = [(Layer("input", said, (), 0), set())]
    for i in outer:
        if i not in left:
            blocks.append((layers[i], set()))
        elif i == left[0]:
            inside = sum(layers[j].parameters for j in left)
            blocks.append((Layer(f"{len(left)} more blocks", "", (), inside), set()))
        place[i] = len(blocks) - 1
        fed = {place[s] for s in layers[i].sources} or {0}
        blocks[-1][1].update(s for s in fed if s < len(blocks) - 1)
    return blocks
