"""Callbacks of a derived image: told when a training begins, after each epoch, and when all is over.

An entry point of the group `trainyard.callbacks` takes the specification's parameters by name. What it
gives may have any of `train_begin(begun)`, `epoch_end(epoch, metrics)` and `train_end(ended)`: called from
the training's thread, of many processes in the first, and not for folds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trainyard_trainer.errors import Defect, InvalidSpec, JobError
from trainyard_trainer.extensions import Extension, load
from trainyard_trainer.outcome import Outcome

GROUP, FIELD = "trainyard.callbacks", "training.callbacks"


@dataclass(frozen=True, slots=True)
class Begun:
    """A training that begins; `done` epochs are those of an earlier attempt."""

    name: str
    epochs: int
    done: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A training that is over: `error` says why where it ended badly; the rest is what is known by then."""

    name: str
    epochs: int | None
    best_epoch: int | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    run_id: str | None = None
    model_uri: str | None = None
    error: str | None = None


class Callbacks:
    """All callbacks of one training, in the order of the specification."""

    def __init__(self, wanted: Sequence[Extension] = (), name: str = "") -> None:
        """Make them.

        Raises:
            InvalidSpec: One is not installed, or does not take its parameters.
        """
        self.name = name
        self._made = [(one.name, _make(one)) for one in wanted]

    def begin(self, epochs: int, done: int) -> None:
        """The training of the final model begins.

        Raises:
            Defect: One of them failed, here and in the other methods.
        """
        for name, callback in self._made:
            _call(name, callback, "train_begin", Begun(self.name, epochs, done))

    def epoch(self, number: int, metrics: Mapping[str, float]) -> bool:
        """An epoch (the first is 1) is over; whether one of them wants it to be the last."""
        answers = [_call(name, callback, "epoch_end", number, dict(metrics)) for name, callback in self._made]
        return any(answer is True for answer in answers)

    @contextlib.contextmanager
    def told_the_end(self, outcome: Outcome) -> Iterator[None]:
        """Around a training: however it ends, they hear of it; a failure of the training comes first."""
        try:
            yield
        except BaseException as error:
            with contextlib.suppress(JobError):
                self._end(outcome, f"{type(error).__name__}: {error}")
            raise
        self._end(outcome, None)

    def _end(self, outcome: Outcome, error: str | None) -> None:
        ended = Ended(
            self.name,
            outcome.epochs,
            outcome.best_epoch,
            dict(outcome.metrics),
            outcome.run_id,
            outcome.model_uri,
            error,
        )
        for name, callback in self._made:
            _call(name, callback, "train_end", ended)


def _make(one: Extension) -> Any:
    factory = load(GROUP, one, FIELD)
    try:
        return factory(**one.parameters)
    except (TypeError, ValueError) as error:
        raise InvalidSpec(f"{FIELD}: {one.name}: {error}", "correct its parameters") from error


def _call(name: str, callback: Any, method: str, *args: Any) -> Any:
    function: Callable[..., Any] | None = getattr(callback, method, None)
    if function is None:
        return None
    try:
        return function(*args)
    except JobError:
        raise
    except Exception as error:
        raise Defect(
            f"callback '{name}' failed in {method}: {type(error).__name__}: {error}",
            f"correct it, or remove it from {FIELD}",
        ) from error
