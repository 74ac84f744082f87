"""Kubeflow Trainer's report of progress (KEP-2779) in our terms: callbacks written for it work unchanged.

A pod finds the address in KUBEFLOW_TRAINER_SERVER_URL and posts `{"trainerStatus": {...}}`: a share of the
work in percent, the seconds left, and metrics as texts. It knows no epochs and no attempts; the attempt is
the pod's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.wire import Progress

_MOST = 128
_LONGEST = 128


class Metric(ApiModel):
    """A metric; its value is a text."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    value: Annotated[str, Field(max_length=64)]


class TrainerStatus(ApiModel):
    """What a pod says; what it leaves out is unknown."""

    progress_percentage: Annotated[int, Ge(0), Le(100)] | None = None
    estimated_remaining_seconds: Annotated[int, Ge(0), Le(10**9)] | None = None
    metrics: Annotated[tuple[Metric, ...], Field(max_length=256)] = ()


class StatusReport(ApiModel):
    """Body of the request."""

    trainer_status: TrainerStatus

    def progress(self, attempt: int) -> Progress:
        """The same as a report of ours."""
        said = self.trainer_status
        return Progress(
            attempt=attempt,
            percent=said.progress_percentage or 0,
            eta_seconds=said.estimated_remaining_seconds,
            metrics=dict(list(_numbers(said.metrics))[:_MOST]),
        )


def _numbers(metrics: Iterable[Metric]) -> Iterator[tuple[str, float]]:
    """Names as ours are written (eval/loss is eval_loss), and values that are finite numbers."""
    for metric in metrics:
        name = re.sub(r"\W", "_", metric.name, flags=re.ASCII)[:_LONGEST]
        try:
            value = float(metric.value)
        except ValueError:
            continue
        if math.isfinite(value) and name[:1].isalpha():
            yield name, value
