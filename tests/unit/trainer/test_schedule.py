"""Learning rates are torch's where torch has the same schedule, and depend on the step's number alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from trainyard_trainer.fit.schedule import Schedule
from trainyard_trainer.fit.settings import ScheduleSettings

EPOCHS, STEPS, BASE = 10, 7, 0.1


def ours(settings: ScheduleSettings, epochs: int = EPOCHS, steps: int = STEPS) -> list[float]:
    schedule = Schedule(settings, BASE, steps, epochs)
    return [schedule.rate(epoch, step) for epoch in range(epochs) for step in range(steps)]


def torchs(make: Callable[[torch.optim.Optimizer], Any], count: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # none of the steps has a gradient
        scheduler, rates = make(optimizer), []
        for _ in range(count):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return rates


def test_step() -> None:
    theirs = torchs(lambda o: lr_scheduler.StepLR(o, 3, 0.5), EPOCHS)
    found = ours(ScheduleSettings("step", every_epochs=3, factor=0.5))
    assert found == pytest.approx([rate for rate in theirs for _ in range(STEPS)])


def test_cosine() -> None:
    count = EPOCHS * STEPS
    theirs = torchs(lambda o: lr_scheduler.CosineAnnealingLR(o, count, 0.01), count)
    assert ours(ScheduleSettings("cosine", min_learning_rate=0.01)) == pytest.approx(theirs)


@pytest.mark.parametrize("rise", [0.1, 0.3, 0.9])
def test_one_cycle(rise: float) -> None:
    count = EPOCHS * STEPS
    theirs = torchs(
        lambda o: lr_scheduler.OneCycleLR(o, 0.5, count, pct_start=rise, cycle_momentum=False), count - 1
    )
    found = ours(ScheduleSettings("one_cycle", max_learning_rate=0.5, rise_fraction=rise))
    assert found[:-1] == pytest.approx(theirs)
    assert found[-1] == pytest.approx(0.5 / 25 / 1e4)


@pytest.mark.parametrize("maximize", [False, True])
def test_plateau(maximize: bool) -> None:
    """torch counts the epochs that may pass, we those after which it falls: one more."""
    values = [5.0, 4.0, 4.0, 4.5, 4.0, 3.0, 3.0, 3.0, 3.0, 3.0, 2.0, 2.0]
    values = [-value for value in values] if maximize else values
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    theirs = lr_scheduler.ReduceLROnPlateau(
        optimizer, "max" if maximize else "min", factor=0.1, patience=1, threshold=0.0
    )
    schedule = Schedule(ScheduleSettings("plateau", factor=0.1, patience=2), BASE, STEPS, 50)
    for epoch, value in enumerate(values):
        theirs.step(value)
        schedule.epoch_done(value, maximize)
        assert schedule.rate(epoch + 1, 0) == pytest.approx(optimizer.param_groups[0]["lr"])
    again = Schedule(ScheduleSettings("plateau", factor=0.1, patience=2), BASE, STEPS, 50)
    again.load(schedule.state())
    assert again.rate(20, 0) == schedule.rate(20, 0) < BASE


def test_warm_up() -> None:
    found = ours(ScheduleSettings(None, warmup_epochs=1.5))
    assert found[:10] == pytest.approx([BASE * (step + 1) / 10.5 for step in range(10)])
    assert found[10:] == [BASE] * (EPOCHS * STEPS - 10)


def test_the_cosine_begins_after_the_warm_up() -> None:
    found = ours(ScheduleSettings("cosine", warmup_epochs=2.0))
    after = EPOCHS * STEPS - 2 * STEPS
    theirs = torchs(lambda o: lr_scheduler.CosineAnnealingLR(o, after), after)
    assert found[2 * STEPS :] == pytest.approx(theirs)
    assert max(found) == found[2 * STEPS - 1] == BASE


@pytest.mark.parametrize("name", [None, "step", "cosine", "one_cycle", "plateau"])
def test_a_training_of_one_step(name: str | None) -> None:
    found = ours(ScheduleSettings(name, max_learning_rate=0.5), 1, 1)
    assert len(found) == 1
    assert found[0] >= 0.0
