"""When a result may serve: the gate a candidate passes, and what serves it when nothing does yet."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.rules import Rule, at_most_one
from trainyard.api.serving import Serving
from trainyard.api.training import Goal
from trainyard.api.types import Count, MetricName, ObjectName, Seconds

Score = Annotated[float, Ge(-1e12), Le(1e12)]


class PromotionMode(StrEnum):
    """Who decides."""

    NEVER = "Never"
    MANUAL = "Manual"
    AUTOMATIC = "Automatic"


class Guard(ApiModel):
    """Another metric that must not get worse by more than a margin."""

    metric: MetricName
    """The metric."""
    goal: Goal
    """Maximize or Minimize."""
    max_regression: Annotated[float, Ge(0.0), Le(1e12)] = 0.0
    """How much worse than the champion it may be."""
    threshold: Score | None = None
    """The worst value it may have, champion or not."""


class Gate(ApiModel):
    """What a candidate must show. A missing or NaN metric rejects."""

    metric: MetricName
    """The metric that decides, usually of the test part: test_roc_auc."""
    goal: Goal
    """Maximize or Minimize."""
    threshold: Score | None = None
    """The worst value that may pass."""
    min_improvement: Annotated[float, Ge(0.0), Le(1e12)] | None = None
    """How much better than the champion, in the metric's unit; 0 where both are silent."""
    min_relative_improvement: Annotated[float, Ge(0.0), Le(1000.0)] | None = None
    """How much better than the champion, as a share of the champion's value."""
    guards: Annotated[tuple[Guard, ...], Field(max_length=16)] = ()
    """Metrics that must not get worse."""
    min_holdout_rows: Count = 0
    """Reject when the hold-out has fewer rows."""
    confidence: Annotated[float, Gt(0.5), Lt(1.0)] | None = None
    """Require the improvement with this probability, by paired bootstrap over the hold-out."""

    rules: ClassVar[tuple[Rule, ...]] = (at_most_one("minImprovement", "minRelativeImprovement"),)


class Promotion(ApiModel):
    """What happens to the result."""

    model: ObjectName
    """Name of the model, registered as <namespace>.<model>, and of the ModelServer that serves it."""
    mode: PromotionMode = PromotionMode.MANUAL
    """Never (register only), Manual (a person approves what passed the gate) or Automatic."""
    gate: Gate | None = None
    """What the candidate must show; needed for Automatic."""
    cooldown_seconds: Seconds = 0
    """Least time since the model's last promotion."""
    serving: Serving | None = None
    """How to serve, used only to create a missing ModelServer; later changes are made there."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.mode != 'Automatic' || has(self.gate)",
            "mode: Automatic needs a gate",
            lambda p: p.mode is not PromotionMode.AUTOMATIC or p.gate is not None,
            ".gate",
        ),
    )
