"""Callbacks of other distributions: called in order, able to stop, named when they fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainer.jobs import Quiet, job, store
from trainyard_trainer.callbacks import Callbacks
from trainyard_trainer.errors import Defect, InvalidSpec
from trainyard_trainer.extensions import Extension
from trainyard_trainer.outcome import Outcome
from trainyard_trainer.runner import run_job
from trainyard_trainer.stop import StopRequest

MODULE = """
heard = []

class Until:
    def __init__(self, epoch, fail=None):
        self.epoch, self.fail = epoch, fail

    def train_begin(self, begun):
        heard.append(("begin", begun.epochs, begun.done))

    def epoch_end(self, epoch, metrics):
        heard.append(("epoch", epoch, "train_loss" in metrics))
        if self.fail == epoch:
            raise ZeroDivisionError("no")
        return epoch == self.epoch

    def train_end(self, ended):
        heard.append(("end", ended.epochs, ended.error))

class Silent:
    pass
"""


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[list[Any]]:
    site = tmp_path / "site"
    info = site / "listening-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "listening.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: listening\nVersion: 1.0\n")
    points = "[trainyard.callbacks]\nuntil = listening:Until\nsilent = listening:Silent\nbroken = absent:X\n"
    (info / "entry_points.txt").write_text(points)
    sys.path.insert(0, str(site))
    import listening  # type: ignore[import-not-found]

    yield listening.heard
    sys.path.remove(str(site))
    sys.modules.pop("listening")


def wanted(*callbacks: dict[str, Any]) -> dict[str, Any]:
    return {"callbacks": list(callbacks), "epochs": 6, "batchSize": 128}


def test_a_callback_hears_everything_and_ends_the_training(
    mlflow_template: Path, tmp_path: Path, heard: list[Any]
) -> None:
    training = wanted({"name": "silent"}, {"name": "until", "parameters": {"epoch": "3"}})
    one = job(store(mlflow_template, tmp_path), tmp_path, training=training)
    result, _ = run_job(one, tmp_path / "w", Quiet(), StopRequest())
    assert result.exit_code == 0, result
    assert result.epochs == 3
    assert heard == [
        ("begin", 6, 0),
        *(("epoch", epoch, True) for epoch in (1, 2, 3)),
        ("end", 3, None),
    ]
    assert "test_accuracy" in result.metrics  # it ended well, as with early stopping


def test_a_callback_that_fails_is_named(mlflow_template: Path, tmp_path: Path, heard: list[Any]) -> None:
    training = wanted({"name": "until", "parameters": {"epoch": "9", "fail": "2"}})
    one = job(store(mlflow_template, tmp_path), tmp_path, training=training)
    result, _ = run_job(one, tmp_path / "w", Quiet(), StopRequest())
    assert result.exit_code == 1
    assert result.message == "callback 'until' failed in epoch_end: ZeroDivisionError: no"
    assert result.remedy is not None
    assert "training.callbacks" in result.remedy
    assert heard[-1][0] == "end"
    assert "ZeroDivisionError" in heard[-1][2]


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("untill", "training.callbacks: nothing installed here registers 'untill' .* did you mean 'until'"),
        ("until", "training.callbacks: until: .*missing 1 required positional argument: 'epoch'"),
        ("broken", "training.callbacks: 'broken' cannot be imported"),
    ],
)
def test_what_cannot_be_made_is_told(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        Callbacks(job("sqlite:///unused", tmp_path, training=wanted({"name": name})).callbacks)


def test_the_trainings_own_failure_comes_first(heard: list[Any]) -> None:
    class Fails:
        def train_end(self, ended: Any) -> None:
            raise RuntimeError("in the callback")

    callbacks = Callbacks([Extension("until", {"epoch": 1})], "a")
    callbacks._made.insert(0, ("fails", Fails()))
    with pytest.raises(KeyError, match="first"), callbacks.told_the_end(Outcome()):
        raise KeyError("first")
    with pytest.raises(Defect, match="'fails' failed in train_end"), callbacks.told_the_end(Outcome()):
        pass
    assert heard == []
