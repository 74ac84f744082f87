"""Study: many trials of one template, steered by Optuna, ending in one model."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from annotated_types import Ge, Le
from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.meta import NAME_RULE, Resource
from trainyard.api.promotion import Promotion
from trainyard.api.rules import Rule, immutable
from trainyard.api.search import Real, SamplerName, Search
from trainyard.api.studystatus import StudyStatus
from trainyard.api.training import Goal
from trainyard.api.trainingjob import TrainerSpec
from trainyard.api.types import MetricName, Seconds

MODEL_BASED_MAX = 10_000


class Objective(ApiModel):
    """A metric of a trial's best epoch."""

    metric: MetricName
    """A validation metric (val_...)."""
    goal: Goal
    """Maximize or Minimize."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!self.metric.startsWith('test_')",
            "metric must not be a test metric: trials never see test rows",
            lambda o: not o.metric.startswith("test_"),
            ".metric",
        ),
    )


class Budget(ApiModel):
    """When the search ends: at the first of these. All may change while it runs."""

    max_trials: Annotated[int, Ge(1), Le(1_000_000)]
    """Trials to start; exact. Retries of a trial and imported trials do not count."""
    parallelism: Annotated[int, Ge(1), Le(256)] = 1
    """Trials at once."""
    max_failed_trials: Annotated[int, Ge(0), Le(1_000_000)] = 5
    """Fail the Study when more trials than this failed."""
    timeout_seconds: Annotated[int, Ge(1), Le(31_536_000)] | None = None
    """Running time; then running trials stop and the best so far is finalised."""
    target: Real | None = None
    """End when a trial reaches this value; for one objective."""
    patience: Annotated[int, Ge(1), Le(1_000_000)] | None = None
    """End after this many finished trials without a better one; for one objective."""


class Isolation(StrEnum):
    """What a trial runs in."""

    POOL = "Pool"
    JOB = "Job"


class Workers(ApiModel):
    """What trials run in."""

    isolation: Isolation = Isolation.POOL
    """Pool: warm pods that run one trial after another. Job: a TrainingJob for each trial, with nodes of its
    own."""
    trials_per_process: Annotated[int, Ge(1), Le(100_000)] = 100
    """Trials before a pool's process is replaced."""
    trial_backoff_limit: Annotated[int, Ge(0), Le(100)] = 2
    """Retries of a trial after failures of unknown cause."""


class StudyRunPolicy(ApiModel):
    """When a Study waits and goes away."""

    suspend: bool = False
    """Stop all trials after a checkpoint; go on when false again."""
    ttl_seconds_after_finished: Seconds | None = None
    """Delete the object so long after it finished; never where silent."""


class StudyTemplate(ApiModel):
    """What each trial trains."""

    spec: TrainerSpec
    """A TrainingJob's spec without promotion; parameters are put in by their paths."""


class PromotionFrom(StrEnum):
    """Which model a Study ends in."""

    BEST_TRIAL = "BestTrial"
    RETRAIN = "Retrain"


class StudyPromotion(Promotion):
    """What happens to the winner."""

    from_: PromotionFrom = PromotionFrom.BEST_TRIAL
    """BestTrial: the winner as trained. Retrain: trained again on training and validation rows."""


class StudySpec(ApiModel):
    """What to search, for how long, in what."""

    objectives: Annotated[tuple[Objective, ...], Field(min_length=1, max_length=3)]
    """What is better; several give a Pareto front."""
    search: Search
    """What varies and how points are chosen."""
    budget: Budget
    """When the search ends."""
    workers: Workers = Workers()
    """What trials run in."""
    run_policy: StudyRunPolicy = StudyRunPolicy()
    """When the Study waits and goes away."""
    template: StudyTemplate
    """What each trial trains."""
    promotion: StudyPromotion | None = None
    """What happens to the winner; it is only tracked where silent."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "size(self.objectives) == 1 || !has(self.search.pruner) || self.search.pruner.name == 'none'",
            "search.pruner works with one objective only: use pruner none or one objective",
            lambda s: len(s.objectives) == 1 or s.search.pruner.name == "none",
            ".search.pruner",
        ),
        Rule(
            "size(self.objectives) == 1 || (!has(self.budget.target) && !has(self.budget.patience))",
            "budget.target and budget.patience work with one objective only",
            lambda s: len(s.objectives) == 1 or (s.budget.target is None and s.budget.patience is None),
            ".budget",
        ),
        Rule(
            "size(self.objectives) == 1 || !has(self.search.sampler) || self.search.sampler.name != 'cmaes'",
            "search.sampler cmaes works with one objective only",
            lambda s: len(s.objectives) == 1 or s.search.sampler.name is not SamplerName.CMAES,
            ".search.sampler",
        ),
        Rule(
            f"self.budget.maxTrials <= {MODEL_BASED_MAX} || "
            "(has(self.search.sampler) && self.search.sampler.name in ['random', 'grid', 'qmc'])",
            f"budget.maxTrials above {MODEL_BASED_MAX} needs search.sampler random, grid or qmc",
            lambda s: (
                s.budget.max_trials <= MODEL_BASED_MAX
                or s.search.sampler.name in (SamplerName.RANDOM, SamplerName.GRID, SamplerName.QMC)
            ),
            ".budget.maxTrials",
        ),
        Rule(
            "!has(self.workers) || self.workers.isolation == 'Job' || !has(self.template.spec.compute) || "
            "self.template.spec.compute.nodes == 1",
            "template.spec.compute.nodes above 1 needs workers.isolation: Job",
            lambda s: s.workers.isolation is Isolation.JOB or s.template.spec.compute.nodes == 1,
            ".template.spec.compute",
        ),
        immutable("objectives", why="create another Study"),
        immutable("search", why="create another Study"),
        immutable("template", why="create another Study"),
        immutable("workers", why="create another Study"),
    )


class Study(Resource):
    """Searches for the best parameters of a template and ends in one model."""

    spec: StudySpec
    """What to search, for how long, in what."""
    status: StudyStatus | None = None
    """What is known about it."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_RULE,)
