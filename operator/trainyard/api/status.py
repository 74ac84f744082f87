"""What is known about a TrainingJob. `progress` is the coordinator's, everything else the operator's."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.meta import Condition
from trainyard.api.states import Cause, PromotionState, State
from trainyard.api.types import (
    Big,
    Count,
    Digest,
    Line,
    LocalName,
    LogTail,
    Message,
    Metrics,
    ObjectName,
    Quantity,
    Reason,
    Reference,
    Sha256,
    Time,
    Version,
)

Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]
RunID = Annotated[str, Field(max_length=64)]


class ProgressStatus(ApiModel):
    """How far the training is, as its pod last reported; written by the coordinator."""

    epoch: Count | None = None
    """Epochs finished."""
    epochs: Count | None = None
    """Epochs planned."""
    percent: Annotated[int, Ge(0), Le(100)] | None = None
    """Share of the work done."""
    eta_seconds: Annotated[float, Ge(0.0), Le(1e9)] | None = None
    """Estimated time to the end."""
    metrics: Metrics = Field(default_factory=dict)
    """Last value of each metric."""
    experiment_id: RunID | None = None
    """MLflow experiment."""
    run_id: RunID | None = None
    """MLflow run."""
    attempt: Count | None = None
    """Attempt that reported."""
    updated_at: Time | None = None
    """When it reported."""
    summary: Line | None = None
    """For the PROGRESS column: 12/50."""
    metric: Line | None = None
    """For the METRIC column: val_roc_auc=0.993."""
    eta: Line | None = None
    """For the ETA column: 8s."""


class FailureStatus(ApiModel):
    """The last attempt that ended other than well; outlives its pod."""

    attempt: Count
    """Which attempt."""
    pod: LocalName | None = None
    """Its pod."""
    node: LocalName | None = None
    """Node of the pod."""
    exit_code: Annotated[int, Ge(-1), Le(255)] | None = None
    """Exit code of the container."""
    cause: Cause
    """What kind of failure."""
    message: Message | None = None
    """What happened, in the trainer's words where it could say."""
    remedy: Message | None = None
    """What to do."""
    log_tail: LogTail | None = None
    """Last lines of the container's log."""
    time: Time | None = None
    """When it ended."""


class RetryStatus(ApiModel):
    """What the operator remembers between attempts; written before the next attempt's Job is created."""

    not_before: Time | None = None
    """The next attempt starts no earlier."""
    memory: Quantity | None = None
    """Memory limit of the next attempt, when raised after running out of it."""
    excluded_nodes: Annotated[tuple[LocalName, ...], Field(max_length=16)] = ()
    """Nodes the next attempt avoids."""
    unknown: Count = 0
    """Attempts charged to backoffLimit."""
    out_of_memory: Count = 0
    """Attempts that ran out of memory."""
    dependency_tries: Count = 0
    """Attempts in a row that found a dependency down."""
    dependency_since: Time | None = None
    """Since when a dependency is down."""
    run_seconds: Big = 0
    """Running time of ended attempts, which counts against activeDeadlineSeconds."""
    job_uid: Line | None = None
    """Job of the current attempt, once seen; when it is gone, the attempt was deleted."""
    attempt_start_time: Time | None = None
    """When the current attempt's pod began to run."""


class MLflowStatus(ApiModel):
    """Where the run is in MLflow."""

    experiment_id: RunID | None = None
    """Experiment."""
    run_id: RunID | None = None
    """Run."""
    model_uri: Reference | None = None
    """The package that was made: models:/m-..."""
    model_sha256: Sha256 | None = None
    """Digest of the package."""


class DataStatus(ApiModel):
    """Which rows were used."""

    data_digest: Digest | None = None
    """Digest of content and schema."""
    holdout_digest: Digest | None = None
    """Digest of the test rows and their labels; metrics with the same one are comparable."""
    rows: Big | None = None
    """Rows of all parts."""


class PromotionStatus(ApiModel):
    """Where the result is on its way into serving."""

    state: PromotionState
    """How far it is."""
    model: ObjectName | None = None
    """The model."""
    version: Version | None = None
    """The registered version."""
    reason: Reason | None = None
    """Why, in one word."""
    message: Message | None = None
    """Why, with the numbers."""
    candidate_value: float | None = None
    """The gate's metric of this result."""
    champion_value: float | None = None
    """The gate's metric of what served before."""
    champion_version: Version | None = None
    """Version that served before."""
    time: Time | None = None
    """When the state last changed."""


class CommonStatus(ApiModel):
    """What a TrainingJob's and a Study's status share."""

    observed_generation: Big | None = None
    """Generation of the spec that was last acted on."""
    state: State | None = None
    """Pending, Suspended, Starting, Running, Restarting, Succeeded or Failed."""
    reason: Reason | None = None
    """Why, in one word."""
    message: Message | None = None
    """Why, for people, and what to do next."""
    conditions: Conditions = ()
    """Aspects of the state, for kubectl wait."""
    mlflow: MLflowStatus | None = None
    """The run and the package that was made."""
    promotion: PromotionStatus | None = None
    """Where the result is on its way into serving."""
    metrics: Metrics = Field(default_factory=dict)
    """Final metrics; empty until the end."""
    data: DataStatus | None = None
    """Which rows were used."""
    start_time: Time | None = None
    """When the first pod ran."""
    completion_time: Time | None = None
    """When the state became final."""


class TrainingJobStatus(CommonStatus):
    """What is known about a TrainingJob."""

    attempt: Count | None = None
    """The current or last attempt, counted from 1."""
    restarts: Count | None = None
    """Attempts after the first."""
    retry: RetryStatus | None = None
    """What the operator remembers between attempts."""
    last_failure: FailureStatus | None = None
    """The last attempt that ended other than well."""
    progress: ProgressStatus | None = None
    """How far the training is; the coordinator's."""
