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
    """The tokenizer's coverage in words and as a table, how long the texts are, and the clean-up."""
    if not f.coverage:
        return None
    facts = Table(("what", "value"), [[name, value] for name, value in _facts(f.coverage)])
    blocks: list[Block] = [
        _lengths(f.coverage["lengths"], int(f.coverage["maxLength"])),
        Listing("coverage", "Tokenizer and vectors", facts, shown=len(facts.data)),
    ]
    if cleaned := f.coverage.get("normalise"):
        rows = [[_spoken(n), s["chosen"], s["knownWithout"], s["knownWith"]] for n, s in cleaned.items()]
        columns = ("step", "used", "known without it", "known with it")
        says = "Shares of the tokens that are known, in the vocabulary or to the vectors."
        blocks.append(Listing("normalise", "Clean-up", Table(columns, rows), says=says))
    return Section("coverage", "What it can read", sentences(f.coverage), blocks)


def sentences(known: Mapping[str, Any]) -> list[str]:
    """Whether what it cannot read is worth worrying about."""
    unknown, cut = known.get("heldOutUnknownShare"), known["truncatedShare"]
    where = "in texts that did not train it"
    if unknown is None:
        unknown, where = known["unknownShare"], "in its training texts"
    said = [
        f"It knows {words.count(int(known['vocabulary']), 'token')}; {words.share(unknown)} of the tokens "
        f"{where} are none of them."
    ]
    if unknown > _MUCH_UNKNOWN:
        said.append("That is much: raise data.text.vocabularySize, or use tokenizer: BPE.")
    if cut > 0:
        more = " Much is lost: raise data.text.maxLength." if cut > _MUCH_CUT else ""
        said.append(
            f"{words.share(cut)} of the texts are longer than the {known['maxLength']:,} it reads.{more}"
        )
    if vectors := known.get("vectors"):
        few = " Vectors of other texts, or other clean-up, would help."
        said.append(
            f"{words.share(vectors['tokens'])} of the tokens, and {words.share(vectors['types'])} of the "
            f"vocabulary, have a pretrained vector.{few if vectors['tokens'] < _FEW_VECTORS else ''}"
        )
        if missing := vectors["missing"][:8]:
            names = words.listed([f"“{words.short(word)}”" for word in missing])
            said.append(f"The most frequent without one: {names}.")
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
            if any(letter.isalnum() for letter in text):
                of[text] = of.get(text, 0.0) + float(word["weight"])
    data = []
    for given in sorted(sums):
        ranked = sorted((item for item in sums[given].items() if item[1] > 0), key=lambda item: -item[1])
        data.append([f.labels[given], ", ".join(words.short(text, 14) for text, _ in ranked[:most])])
    says = f"From {words.count(len(f.explained), 'explained text')}, by the class that was given."
    table = Table(("class", "words that speak for it most"), data)
    return [Listing("words_by_class", "Words for each class", table, says=says)] if data else []


def _facts(known: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Plain values, those about lengths and vectors among them."""
    found: list[tuple[str, Any]] = []
    for name, value in known.items():
        if not isinstance(value, Mapping):
            found.append((_spoken(name), value))
        elif name != "normalise":
            items = ((key, item) for key, item in value.items() if not isinstance(item, list | tuple))
            found += [(f"{_spoken(name)}: {_spoken(key)}", item) for key, item in items]
    return found


def _spoken(name: str) -> str:
    """`unknownShare`, or `strip_apostrophes`, as words."""
    apart = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return apart.replace("_", " ").strip()


def _lengths(lengths: Mapping[str, Any], most: int) -> Chart:
    """Of the training texts; the last bar holds everything longer."""
    edges, counts = np.asarray(lengths["edges"], dtype=float), np.asarray(lengths["counts"], dtype=int)
    drawn, axes = style.figure(3.0)
    axes.stairs(counts, edges, color=style.BLUE, fill=True, alpha=0.75)
    axes.axvline(lengths["median"], color=style.ORANGE, linewidth=1.4, label="median")
    if most < edges[-1]:
        axes.axvline(most, color=style.MUTED, linewidth=1.2, linestyle=":", label="read up to here")
    axes.set_xlabel("tokens of a text")
    axes.set_ylabel("training texts")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    style.whole(axes.yaxis)
    style.legend(axes, 2)
    table = Table(
        ("from", "to", "texts"), [list(row) for row in zip(edges[:-1], edges[1:], counts, strict=True)]
    )
    longest = words.count(int(lengths["longest"]), "token")
    says = f"The longest has {longest}; the last bar holds all that are longer."
    return style.chart(drawn, "text_lengths", "How long the texts are", says, table)
