"""Our side of what is timed on MNIST."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from tests.benchmarks.cells import digest
from tests.benchmarks.mnist import GOAL, TRAIN, read, whole
from tests.benchmarks.ours import Driven, Enough
from tests.benchmarks.runs import manifest
from trainyard.local.attempt import local_attempt
from trainyard_trainer.data.encode import Part
from trainyard_trainer.fit.feed import DevicePart
from trainyard_trainer.fit.loop import Epoch
from trainyard_trainer.resolve import Job, resolve


def make_job(name: str, seed: int, *changes: str) -> Job:
    """A manifest without checkpoints while it trains."""
    always = "training.checkpointing.intervalSeconds=86400"
    return resolve(local_attempt(manifest(name, seed, always, *changes), "sqlite:///unused.db", "bench"))


class Race:
    """From the first step to 99 % of the rows that are held out, as the loop runs in a pod, less logging."""

    def __init__(self, rows: int) -> None:
        self.facts: dict[str, Any] = {}

    def run(self, seed: int) -> dict[str, Any]:
        """Seconds, epochs and accuracies."""
        driven = Driven(make_job("mnist-fast", seed, *whole()), Path(mkdtemp(prefix="trainyard-bench-")))
        found = {"seconds": 0.0}

        def after_epoch(epoch: Epoch) -> None:
            found.update(
                seconds=found["seconds"] + epoch.seconds,
                epochs=epoch.number,
                validation=epoch.metrics["val_accuracy"],
            )
            if found["validation"] >= GOAL:
                raise Enough

        driven.train(after_epoch)
        return {**found, "test": _test_accuracy(driven)}


def _test_accuracy(driven: Driven) -> float:
    """Share of the test rows that are told right by the network as it is now."""
    data, fitter = driven.data, driven.fitter
    pixels = data.preprocessor.encode(data.raw(data.rows.test))
    target = data.target.values[data.rows.test].astype(np.int64)
    outputs = fitter.outputs(DevicePart(Part(pixels, target), str(fitter.device)))
    return float((outputs.argmax(1).cpu().numpy() == target).mean())


def equal(rows: int) -> Driven:
    """A contestant over the first rows, with the peer's network."""
    images, labels = read(TRAIN)
    folder = Path(mkdtemp(prefix="trainyard-bench-"))
    np.savez(folder / "rows.npz", images=images[:rows], labels=labels[:rows])
    driven = Driven(make_job("mnist-loop", 1, f"data.source.uri={folder / 'rows.npz'}"), folder)
    driven.facts["data"] = digest(images[:rows], labels[:rows])
    return driven
