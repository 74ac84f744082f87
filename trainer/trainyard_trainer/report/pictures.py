"""Images that the model gets wrong, images of each class, and where in an image it looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.report import mosaic, pick, style, words
from trainyard_trainer.report.chart import Block, Chart, Section, Table
from trainyard_trainer.report.examples import ROW_NUMBERS
from trainyard_trainer.report.findings import Findings, Floats, Integers

_KEPT, _COLUMNS, _LABEL, _HEADING = 100, 8, 13, 20
_SIDE, _SMALL_SIDE = 96, 48
_CLASSES = 12


def section(f: Findings) -> Section | None:
    """Mistakes and highest losses as pictures, with what the answer rests on below each."""
    if f.inputs != "image" or not f.columns:
        return None
    wrong, blocks, sentences = pick.mistaken(f, _KEPT), list[Block](), [_legend(f), ROW_NUMBERS]
    if len(wrong):
        blocks.append(_grid(f, wrong, "misclassified", "Misclassified: the surest of each kind first"))
    elif f.classification:
        sentences.insert(0, f"No {f.part} row is misclassified.")
    blocks.append(_grid(f, pick.worst(f, _KEPT), "highest_loss", "Highest loss"))
    return Section("examples", "Where it fails", sentences, blocks)


def _legend(f: Findings) -> str:
    """How to read the lower pictures."""
    maps = _maps(f)
    if maps is None:
        return ""
    against = ", blue ones against it" if (maps < 0).any() else ""
    return f"In the lower pictures orange pixels speak for the answer that was given{against}."


def classes(f: Findings) -> Section | None:
    """A row of images for each class."""
    if f.inputs != "image" or not f.classification or not f.columns:
        return None
    target = f.judged.target.astype(np.int64)
    counts = np.bincount(target, minlength=len(f.classes))
    order = np.argsort(-counts, kind="stable")
    chosen = np.sort(order[: min(_CLASSES, int((counts > 0).sum()))])
    drawn, heading, data = list[mosaic.Tile](), list[str](), []
    for c in chosen:
        rows = np.flatnonzero(target == c)[:_COLUMNS]
        tiles = [mosaic.Tile([_image(f, int(row), _SMALL_SIDE)]) for row in rows]
        drawn += tiles + [mosaic.Tile([])] * (_COLUMNS - len(tiles))
        heading.append(words.short(f.labels[c], _HEADING))
        data.append([f.labels[c], int(counts[c]), ", ".join(str(n) for n in f.judged.numbers[rows])])
    says = f"The first {f.part} rows of each class."
    if len(chosen) < int((counts > 0).sum()):
        says += f" The {len(chosen)} most frequent classes of {len(f.classes):,}."
    table = Table(("class", "rows", "row numbers shown"), data)
    chart = style.chart(mosaic.draw(drawn, _COLUMNS, heading), "classes", "Images of each class", says, table)
    return Section("classes", "What it is shown", (), [chart])


def attention(f: Findings) -> Section | None:
    """Where in the images the answers rest, on average over the explained rows, and for each class."""
    maps = _maps(f)
    if maps is None or not len(maps):
        return None
    mean = np.abs(maps).mean(0)
    high, wide = mean.shape
    drawn, axes = style.figure(min(max(0.8 + 3.9 * high / wide, 1.8), 4.4))
    shown = axes.imshow(mean / (mean.max() or 1.0), cmap=style.shades(), vmin=0, vmax=1)
    axes.grid(visible=False)
    style.whole(axes.xaxis)
    style.whole(axes.yaxis)
    drawn.colorbar(shown, ax=axes, label="share of the largest", shrink=0.9)
    says = f"Mean over {words.count(len(maps), f'{f.part} image')} of {wide} × {high} pixels."
    small = mosaic.smaller(mean, 64)
    table = Table(
        ("y", "x", "mean attribution"),
        [[y, x, small[y, x]] for y in range(small.shape[0]) for x in range(small.shape[1])],
    )
    blocks: list[Block] = [style.chart(drawn, "attribution_map", "Where it looks", says, table)]
    if f.classification and f.explained is not None:
        blocks.append(_by_class(f, maps, f.explained))
    return Section("importance", "What it looks at", [_centre(mean)], blocks)


def _centre(mean: Floats) -> str:
    """How much of the image matters."""
    ordered = np.sort(mean, axis=None)[::-1]
    half = int(np.searchsorted(np.cumsum(ordered), 0.5 * float(ordered.sum()))) + 1
    return f"Half of what the answers rest on lies in {words.share(half / mean.size)} of the pixels."


def _by_class(f: Findings, maps: Floats, explained: Integers) -> Chart:
    target = f.judged.target[explained].astype(np.int64)
    counts = np.bincount(target, minlength=len(f.classes))
    chosen = np.sort(np.argsort(-counts, kind="stable")[: min(16, int((counts > 0).sum()))])
    (column,) = f.columns.values()
    tiles, data = [], []
    for c in chosen:
        rows = np.flatnonzero(target == c)
        weight = np.abs(maps[rows]).mean(0)
        image = mosaic.smaller(column[explained[rows]].mean(0), _SMALL_SIDE)
        overlaid = heated(mosaic.coloured(image), mosaic.smaller(weight, _SMALL_SIDE))
        label = (words.short(f.labels[c], _LABEL), style.INK)
        tiles.append(mosaic.Tile([mosaic.coloured(image), overlaid], [label]))
        data.append([f.labels[c], len(rows), float(weight.mean())])
    says = "The mean of the explained images of each true class, and where its answers rest."
    table = Table(("class", "images", "mean attribution"), data)
    drawn = mosaic.draw(tiles, min(_COLUMNS, len(tiles)))
    return style.chart(drawn, "attribution_by_class", "Where it looks, by class", says, table)


def _maps(f: Findings) -> Floats | None:
    if f.inputs != "image" or not f.explanations:
        return None
    (maps,) = f.explanations.values()
    return np.asarray(maps, dtype=np.float64)


def _image(f: Findings, row: int, side: int) -> mosaic.Pixels:
    (column,) = f.columns.values()
    return mosaic.coloured(mosaic.smaller(np.asarray(column[row]), side))


def _grid(f: Findings, rows: Integers, name: str, title: str) -> Chart:
    maps = _maps(f)
    places = {} if f.explained is None or maps is None else {int(r): i for i, r in enumerate(f.explained)}
    tiles = []
    for row in (int(r) for r in rows[: pick.SHOWN["image"]]):
        image = _image(f, row, _SIDE)
        images = [image]
        if maps is not None and row in places:
            images.append(heated(image, mosaic.smaller(maps[places[row]], _SIDE)))
        true, given = pick.said(f, row, _LABEL)
        colour = style.GREEN if pick.right(f, row) else style.ORANGE if f.classification else style.MUTED
        lines = [(true, style.INK), (given, colour)]
        tiles.append(mosaic.Tile(images, lines))
    answers = pick.answers(f, rows)
    data = [
        [int(f.judged.numbers[row]), *(v[i] for v in answers.values()), float(f.loss[row])]
        for i, row in enumerate(rows)
    ]
    says = "Under each image: where its answer rests, the true class, the answer with its probability."
    if not f.classification:
        says = "Under each image: where its answer rests, the true value, the predicted one."
    if maps is None:
        says = says.replace("where its answer rests, ", "")
    drawn = mosaic.draw(tiles, min(_COLUMNS, len(tiles)))
    return style.chart(drawn, name, title, says, Table(("row", *answers, "loss"), data))


def heated(image: mosaic.Pixels, weights: NDArray[np.float64]) -> mosaic.Pixels:
    """A pale grey image with orange where the weights speak for the answer, and blue where against it.

    Full at the 99th percentile of the weights' size, so that one pixel does not hide the others.
    """
    grey = image.astype(np.float64).mean(2, keepdims=True) * 0.45 + 130
    scale = float(np.quantile(np.abs(weights), 0.99)) or float(np.abs(weights).max()) or 1.0
    share = np.clip(np.abs(weights) / scale, 0, 1)[:, :, None]
    colour = np.where(weights[:, :, None] >= 0, np.array([213.0, 94.0, 0.0]), np.array([0.0, 114.0, 178.0]))
    return np.asarray(np.clip(grey * (1 - share) + colour * share, 0, 255), dtype=np.uint8)
