"""How much of the texts the model can read: words that it does not know, texts that are cut, vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trainyard_trainer.report import style, words
from trainyard_trainer.report.chart import Block, Chart, Listing, Section, Table
from trainyard_trainer.report.findings import Findings

_MUCH_UNKNOWN, _MUCH_CUT, _FEW_VECTORS = 0.1, 0.2, 0.7


def section(f: Findings) -> Section | None:
    """The tokenizer's coverage in words, a table, and how long the texts are."""
    if not f.coverage:
        return None
    known = f.coverage
    blocks: list[Block] = []
    if lengths := known.get("lengths"):
        blocks.append(_lengths(lengths))
    rows = [[name, value] for name, value in _facts(known)]
    blocks.append(
        Listing("coverage", "Tokenizer and vectors", Table(("what", "value"), rows), shown=len(rows))
    )
    return Section("coverage", "What it can read", sentences(known), blocks)


def sentences(known: Mapping[str, Any]) -> list[str]:
    """Whether what it cannot read is worth worrying about."""
    unknown, cut = float(known.get("unknownShare", 0.0)), float(known.get("truncatedShare", 0.0))
    said = [
        f"It knows {words.count(int(known.get('vocabulary', 0)), 'token')}; "
        f"{words.share(unknown)} of the tokens in its texts are none of them."
    ]
    if unknown > _MUCH_UNKNOWN:
        said.append("That is much: raise data.text.vocabularySize, or use tokenizer: BPE.")
    if cut > 0:
        more = " Much is lost: raise data.text.maxLength." if cut > _MUCH_CUT else ""
        said.append(f"{words.share(cut)} of the texts are longer than it reads.{more}")
    vectors = known.get("vectors") or {}
    if (share := _share(vectors)) is not None:
        few = " Vectors of other texts, or other clean-up, would help." if share < _FEW_VECTORS else ""
        said.append(f"{words.share(share)} of the tokens have a pretrained vector.{few}")
    return said


def by_class(f: Findings, most: int = 6) -> list[Block]:
    """Of each class the words on which the explained answers for it rest most, summed over those texts."""
    if not f.classification or not f.explanations or f.explained is None:
        return []
    (found,) = f.explanations.values()
    sums: dict[int, dict[str, float]] = {}
    for row, said in zip(f.explained, found, strict=True):
        of = sums.setdefault(int(f.predicted[row]), {})
        for word in said:
            text = str(word["text"]).lower()
            of[text] = of.get(text, 0.0) + float(word["weight"])
    data = []
    for given in sorted(sums):
        ranked = sorted((item for item in sums[given].items() if item[1] > 0), key=lambda item: -item[1])
        data.append([f.labels[given], ", ".join(words.short(text, 14) for text, _ in ranked[:most])])
    says = f"From {words.count(len(f.explained), 'explained text')}, by the class that was given."
    table = Table(("class", "words that speak for it most"), data)
    return [Listing("words_by_class", "Words for each class", table, says=says)] if data else []


def _share(vectors: Mapping[str, Any]) -> float | None:
    """Of the tokens as they occur where that is known, else of the vocabulary."""
    for name in ("tokenShare", "share", "vocabularyShare"):
        if name in vectors:
            return float(vectors[name])
    return None


def _facts(known: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """All plain values, those of vectors and of the clean-up among them."""
    found: list[tuple[str, Any]] = []
    for name, value in known.items():
        if isinstance(value, Mapping) and name != "lengths":
            found += [(f"{_spoken(name)}: {_spoken(key)}", item) for key, item in _flat(value)]
        elif not isinstance(value, Mapping | list | tuple):
            found.append((_spoken(name), value))
    return found


def _flat(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(key, item) for key, item in value.items() if not isinstance(item, Mapping | list | tuple)]


def _spoken(name: str) -> str:
    """`unknownShare` as `unknown share`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _lengths(lengths: Mapping[str, Any]) -> Chart:
    """`edges` in tokens and the `rows` between them; the last edge may hold everything longer."""
    edges, rows = np.asarray(lengths["edges"], dtype=float), np.asarray(lengths["rows"], dtype=float)
    drawn, axes = style.figure(2.8)
    axes.stairs(rows, edges, color=style.BLUE, fill=True, alpha=0.75)
    axes.set_xlabel("tokens of a text")
    axes.set_ylabel("texts")
    axes.set_ylim(bottom=0)
    style.whole(axes.yaxis)
    table = Table(
        ("from", "to", "texts"), [list(x) for x in zip(edges[:-1], edges[1:], rows.astype(int), strict=True)]
    )
    return style.chart(drawn, "text_lengths", "How long the texts are", "", table)
