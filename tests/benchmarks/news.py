"""BBC news, read by path: every text once, five parts alike in their categories, vectors of its words.

The file is for research and not to be copied: what is made of it lies in a scratch folder and goes with it.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.runs import DATA
from tests.support.vectors import learn_vectors, write_vectors
from trainyard_model.words import RAW

FILE = DATA / "bbc-news" / "bbc-news.csv"
FOLDS = 5
WIDTH = 100


@dataclass(frozen=True)
class Fold:
    """Rows (category, text) to train with, and those that are judged."""

    train: list[tuple[str, str]]
    test: list[tuple[str, str]]

    def files(self, folder: Path) -> list[str]:
        """Where a manifest finds them, as PATH=VALUE; they are written first."""
        found = []
        for name, rows in (("train", self.train), ("test", self.test)):
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([("category", "text"), *rows])
            found.append(folder / f"{name}.csv")
        return [f"data.source.uri={found[0]}", f"data.split.files.test.uri={found[1]}"]

    def vectors(self, folder: Path) -> str:
        """Vectors learnt from the texts to train with, without their categories; where, as PATH=VALUE."""
        texts = [[word.lower() for word in RAW.findall(text) if word[0].isalnum()] for _, text in self.train]
        write_vectors(folder / "vectors.txt", *learn_vectors(texts, WIDTH))
        return f"data.text.vectors.uri={folder / 'vectors.txt'}"


def unique() -> list[tuple[str, str]]:
    """Category and text of each row, of repeats (white space aside) the first."""
    csv.field_size_limit(2**24)
    with FILE.open(newline="", encoding="utf-8") as file:
        rows = {" ".join(row["text"].split()): (row["category"], row["text"]) for row in csv.DictReader(file)}
    return list(rows.values())


def folds(seed: int) -> list[Fold]:
    """Each text is judged in one of them: by its rank in its category by a seeded hash."""
    rows = sorted(unique(), key=lambda row: hashlib.sha256(f"{seed} {row[1]}".encode()).digest())
    ranks: dict[str, int] = {}
    part = []
    for category, _ in rows:
        ranks[category] = ranks.get(category, -1) + 1
        part.append(ranks[category] % FOLDS)
    return [
        Fold(
            [row for row, its in zip(rows, part, strict=True) if its != fold],
            [row for row, its in zip(rows, part, strict=True) if its == fold],
        )
        for fold in range(FOLDS)
    ]
