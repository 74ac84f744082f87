"""Our side of what is timed on made-up texts."""

from __future__ import annotations

import csv
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.benchmarks.ours import Driven
from tests.benchmarks.prose import CLASSES, LONGEST, Made, Prose, make_prose, spoken
from tests.benchmarks.runs import manifest
from trainyard.local.attempt import local_attempt
from trainyard_trainer.resolve import Job, resolve


def equal(**fields: Any) -> Driven:
    """A contestant over the peer's texts, with its network, batches and optimiser."""
    prose = Prose(**fields)
    made = make_prose(prose)
    folder = Path(mkdtemp(prefix="trainyard-bench-"))
    driven = Driven(make_job(prose, write(made, folder)), folder)
    lengths = driven.data.train.lengths
    assert lengths is not None
    driven.facts |= {"data": made.digest, "tokens": int(lengths.sum())}
    return driven


def make_job(prose: Prose, file: Path) -> Job:
    """The manifest of a cell."""
    changes = (
        f"data.source.uri={file}",
        f"data.text.maxLength={LONGEST}",
        f"model.lstm.embeddingSize={prose.width}",
        f"model.lstm.hiddenSize={prose.hidden}",
        f"training.batchSize={prose.batch}",
    )
    return resolve(local_attempt(manifest("prose", 1, *changes), "sqlite:///unused.db", "bench"))


def write(made: Made, folder: Path) -> Path:
    """A CSV file of the texts."""
    file = folder / "prose.csv"
    rows = zip(spoken(made), (f"class {label} of {CLASSES}" for label in made.labels), strict=True)
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("text", "label"), *rows])
    return file
