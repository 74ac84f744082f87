"""How a model is fitted: epochs, optimiser, schedule, stopping, numerics."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.rules import Rule, at_most_one, exactly_one
from trainyard.api.types import MetricName, Seed, ShortText

LearningRate = Annotated[float, Gt(0.0), Le(100.0)]
Epochs = Annotated[int, Ge(1), Le(1_000_000)]


class Goal(StrEnum):
    """Which way a metric is better."""

    MAXIMIZE = "Maximize"
    MINIMIZE = "Minimize"


class OptimizerName(StrEnum):
    """Optimisers by the names that torch users know."""

    ADAM = "adam"
    ADAMW = "adamw"
    SGD = "sgd"
    RMSPROP = "rmsprop"
    ADADELTA = "adadelta"


class Precision(StrEnum):
    """Number format of the matrix products; weights stay in Float32."""

    FLOAT32 = "Float32"
    BFLOAT16 = "BFloat16"


class Optimizer(ApiModel):
    """The optimiser. What is silent takes torch's default, the learning rate the family's."""

    name: OptimizerName = OptimizerName.ADAM
    """adam, adamw, sgd, rmsprop or adadelta."""
    learning_rate: LearningRate | None = None
    """Step size; where silent: adadelta 1.0, sgd 0.01, and for the others tabnet and mlp without layers 0.02,
    all other families 0.001."""
    weight_decay: Annotated[float, Ge(0.0), Le(10.0)] = 0.0
    """L2 penalty (decoupled for adamw)."""
    momentum: Annotated[float, Ge(0.0), Lt(1.0)] | None = None
    """Momentum of sgd and rmsprop."""
    nesterov: bool = False
    """Nesterov momentum of sgd."""
    beta1: Annotated[float, Ge(0.0), Lt(1.0)] | None = None
    """First moment's decay of adam and adamw."""
    beta2: Annotated[float, Ge(0.0), Lt(1.0)] | None = None
    """Second moment's decay of adam and adamw."""
    rho: Annotated[float, Ge(0.0), Lt(1.0)] | None = None
    """Decay of adadelta and smoothing of rmsprop."""
    epsilon: Annotated[float, Gt(0.0), Le(1.0)] | None = None
    """Term that avoids division by zero."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!self.nesterov || (self.name == 'sgd' && has(self.momentum) && self.momentum > 0.0)",
            "nesterov needs name: sgd and a momentum above 0",
            lambda o: not o.nesterov or (o.name is OptimizerName.SGD and (o.momentum or 0.0) > 0.0),
            ".nesterov",
        ),
    )


class StepSchedule(ApiModel):
    """Multiply the learning rate every few epochs."""

    every_epochs: Epochs = 10
    """Epochs between steps."""
    factor: Annotated[float, Gt(0.0), Le(1.0)] = 0.9
    """Multiplier at each step."""


class CosineSchedule(ApiModel):
    """Fall along half a cosine to the last epoch."""

    min_learning_rate: Annotated[float, Ge(0.0), Le(100.0)] = 0.0
    """Learning rate at the end."""


class OneCycleSchedule(ApiModel):
    """Rise to a maximum, then fall far below the start."""

    max_learning_rate: LearningRate
    """The peak."""
    rise_fraction: Annotated[float, Gt(0.0), Lt(1.0)] = 0.3
    """Share of the steps that rise."""


class PlateauSchedule(ApiModel):
    """Reduce the learning rate when the metric stops getting better."""

    factor: Annotated[float, Gt(0.0), Lt(1.0)] = 0.1
    """Multiplier at each reduction."""
    patience: Epochs = 5
    """Epochs without a better value before a reduction."""


class Schedule(ApiModel):
    """How the learning rate changes; constant where silent."""

    warmup_epochs: Annotated[float, Ge(0.0), Le(10_000.0)] = 0.0
    """Epochs in which the learning rate rises linearly from 0."""
    step: StepSchedule | None = None
    """Fall in steps."""
    cosine: CosineSchedule | None = None
    """Fall along a cosine."""
    one_cycle: OneCycleSchedule | None = None
    """Rise, then fall."""
    plateau: PlateauSchedule | None = None
    """Fall when the metric stalls."""

    rules: ClassVar[tuple[Rule, ...]] = (at_most_one("step", "cosine", "oneCycle", "plateau"),)


class EarlyStopping(ApiModel):
    """End before the last epoch when validation stops getting better."""

    metric: MetricName | None = None
    """A validation metric (val_...); training.metric where silent."""
    patience: Epochs = 10
    """Epochs without a better value before the end."""
    min_delta: Annotated[float, Ge(0.0), Le(1_000_000.0)] = 0.0
    """Smaller gains count as none."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.metric) || !self.metric.startsWith('test_')",
            "metric must not be a test metric: test rows are looked at once, at the end",
            lambda e: e.metric is None or not e.metric.startswith("test_"),
            ".metric",
        ),
    )


class GradientClipping(ApiModel):
    """A bound on gradients."""

    norm: Annotated[float, Gt(0.0), Le(1_000_000.0)] | None = None
    """Bound of the gradient's norm."""
    value: Annotated[float, Gt(0.0), Le(1_000_000.0)] | None = None
    """Bound of each component."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("norm", "value"),)


class Checkpointing(ApiModel):
    """When the state is saved, so that the next attempt goes on from there."""

    interval_seconds: Annotated[int, Ge(1), Le(86_400)] = 15
    """Save at most this often; also at the end and on SIGTERM."""


class Evaluation(ApiModel):
    """How the finished model is judged."""

    bootstrap_samples: Annotated[int, Ge(0), Le(100_000)] = 1000
    """Resamples behind each confidence interval; 0 means none."""
    baseline: bool = True
    """Score a simple model on the same rows beside it, once for each data digest."""
    threshold_metric: MetricName | None = None
    """Validation metric that chooses the decision threshold of a binary classifier; val_f1 where silent."""


class Callback(ApiModel):
    """A hook that a derived image registers under the entry point group trainyard.callbacks."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the entry point."""
    parameters: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=63)], ShortText], Field(max_length=16)
    ] = Field(default_factory=dict)
    """Its parameters; values are text, read as JSON where they are JSON."""


class Training(ApiModel):
    """How the model is fitted."""

    epochs: Epochs = 50
    """Passes over the training rows, at most."""
    batch_size: Annotated[int, Ge(1), Le(1_048_576)] = 1024
    """Rows of one step over all processes; never more than there are training rows."""
    optimizer: Optimizer = Optimizer()
    """The optimiser."""
    schedule: Schedule | None = None
    """How the learning rate changes; constant where silent."""
    metric: MetricName | None = None
    """Validation metric that chooses the epoch; by the task: val_roc_auc, val_accuracy, val_rmse."""
    goal: Goal | None = None
    """Maximize or Minimize training.metric; known for our own metrics."""
    early_stopping: EarlyStopping | None = None
    """End early; never where silent."""
    gradient_clipping: GradientClipping | None = None
    """Bound the gradients; not where silent."""
    label_smoothing: Annotated[float, Ge(0.0), Lt(1.0)] = 0.0
    """Share of each label spread over all classes."""
    precision: Precision = Precision.FLOAT32
    """Float32 or BFloat16."""
    compile: bool = False
    """Compile the step with torch.compile, where the family can be; pays only in long trainings."""
    deterministic: bool = False
    """Bit-identical on the same image, device model and thread count; slower."""
    seed: Seed = 0
    """Seed of the weights and of the order of rows."""
    checkpointing: Checkpointing = Checkpointing()
    """When the state is saved."""
    evaluation: Evaluation = Evaluation()
    """How the finished model is judged."""
    callbacks: Annotated[tuple[Callback, ...], Field(max_length=8)] = ()
    """Hooks of a derived image: train begin, epoch end, train end."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.metric) || !self.metric.startsWith('test_')",
            "metric must not be a test metric: test rows are looked at once, at the end",
            lambda t: t.metric is None or not t.metric.startswith("test_"),
            ".metric",
        ),
    )
