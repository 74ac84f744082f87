"""TrainingJob: one model trained on one data set, from apply to a result that can be promoted."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.compute import Compute, RunPolicy
from trainyard.api.data import Data
from trainyard.api.families import Model
from trainyard.api.meta import NAME_RULE, Resource
from trainyard.api.promotion import Promotion
from trainyard.api.rules import Rule, immutable
from trainyard.api.status import TrainingJobStatus
from trainyard.api.training import Training
from trainyard.api.types import ShortText

_NEW_JOB = "create another TrainingJob"


class Tracking(ApiModel):
    """Where the run is kept in MLflow."""

    experiment: Annotated[str, Field(min_length=1, max_length=250)] | None = None
    """Name of the experiment; <namespace>/<name> where silent."""
    tags: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=128)], ShortText], Field(max_length=32)
    ] = Field(default_factory=dict)
    """Tags of the run."""
    log_data: bool = False
    """Upload the data file to the run."""
    report: bool = True
    """Draw the report: confusion matrix, curves, importance, worst examples."""
    system_metrics: bool = True
    """Log CPU, memory and GPU of the pod."""


class TrainerSpec(ApiModel):
    """What is trained, on what, how and where; a TrainingJob without its promotion, as a Study repeats it."""

    model: Model
    """What is trained; exactly one family."""
    data: Data = Data()
    """The data set and what its columns mean."""
    training: Training = Training()
    """How the model is fitted."""
    compute: Compute = Compute()
    """Pods of one attempt."""
    run_policy: RunPolicy = RunPolicy()
    """When the job waits, retries, gives up and goes away."""
    tracking: Tracking = Tracking()
    """Where the run is kept in MLflow."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.model.custom) || (has(self.data) && has(self.data.source))",
            "data.source is needed: say where the rows are (only model.custom may go without)",
            lambda s: s.model.custom is not None or s.data.source is not None,
            ".data",
        ),
    )


class TrainingJobSpec(TrainerSpec):
    """What is trained, on what, how, where, and what becomes of the result."""

    promotion: Promotion | None = None
    """What becomes of the result; the run is only tracked where silent."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *TrainerSpec.rules,
        immutable("model", why=_NEW_JOB),
        immutable("data", why=_NEW_JOB),
        immutable("training", why=_NEW_JOB),
        immutable("compute", why=_NEW_JOB),
        immutable("tracking", why=_NEW_JOB),
        Rule(
            "(has(self.runPolicy) && has(self.runPolicy.queueName) ? self.runPolicy.queueName : '') == "
            "(has(oldSelf.runPolicy) && has(oldSelf.runPolicy.queueName) ? oldSelf.runPolicy.queueName : '')",
            f"runPolicy.queueName is immutable: {_NEW_JOB}",
            None,
            ".runPolicy",
        ),
    )


class TrainingJob(Resource):
    """Trains a model: pods, retries, tracking in MLflow, and, if asked, promotion into a ModelServer."""

    spec: TrainingJobSpec
    """What is trained, on what, how, where, and what becomes of the result."""
    status: TrainingJobStatus | None = None
    """What is known about it."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_RULE,)
