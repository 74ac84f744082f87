"""What is known about a Study. `trials` is the coordinator's, everything else the operator's."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.search import ParameterValue, Real
from trainyard.api.states import Cause
from trainyard.api.status import CommonStatus, FailureStatus, RunID
from trainyard.api.types import Big, Count, Line, Message, Time


class TrialState(StrEnum):
    """How a trial ended, in Optuna's sense."""

    COMPLETE = "Complete"
    PRUNED = "Pruned"
    FAILED = "Failed"


class TrialStatus(ApiModel):
    """One of the best trials."""

    number: Count
    """Its number in the Study."""
    values: Annotated[tuple[Real, ...], Field(max_length=3)]
    """Its objectives."""
    parameters: Annotated[tuple[ParameterValue, ...], Field(max_length=64)] = ()
    """Its parameters."""
    epoch: Count | None = None
    """Its best epoch."""
    run_id: RunID | None = None
    """Its MLflow run."""


class TrialFailure(ApiModel):
    """One of the last trials that failed."""

    number: Count
    """Its number in the Study."""
    cause: Cause
    """What kind of failure."""
    message: Message | None = None
    """What happened."""
    time: Time | None = None
    """When."""


class TrialsStatus(ApiModel):
    """All trials in numbers; written by the coordinator."""

    total: Count = 0
    """Trials started here."""
    running: Count = 0
    """Trials running now."""
    completed: Count = 0
    """Trials that finished with a value."""
    pruned: Count = 0
    """Trials stopped early."""
    failed: Count = 0
    """Trials that failed for good."""
    imported: Count = 0
    """Trials taken over by warmStart."""
    best: Annotated[tuple[TrialStatus, ...], Field(max_length=10)] = ()
    """The ten best, or of the Pareto front."""
    recent_failures: Annotated[tuple[TrialFailure, ...], Field(max_length=5)] = ()
    """The last five failures."""
    updated_at: Time | None = None
    """When this was written."""
    summary: Line | None = None
    """For the TRIALS column: 12/50."""
    best_value: Line | None = None
    """For the BEST column: val_accuracy=0.993."""


class WorkerStatus(ApiModel):
    """Attempts of one slot of the pool."""

    slot: Count
    """The slot."""
    attempt: Count
    """Its current attempt."""
    failures: Count = 0
    """Attempts in a row that failed for unknown cause."""
    not_before: Time | None = None
    """Its next attempt starts no earlier."""


class StudyStatus(CommonStatus):
    """What is known about a Study."""

    trials: TrialsStatus | None = None
    """All trials in numbers; the coordinator's."""
    workers: Annotated[
        tuple[WorkerStatus, ...],
        Field(
            max_length=256,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["slot"]},
        ),
    ] = ()
    """Slots of the pool."""
    run_seconds: Big | None = None
    """Running time, which counts against timeoutSeconds."""
    last_failure: FailureStatus | None = None
    """The last worker that ended other than well."""
