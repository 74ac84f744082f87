"""The search of a Study: what may vary, how points are chosen, when a trial is cut short."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.rules import Rule, at_least_one, exactly_one
from trainyard.api.types import Count, ObjectName, ParameterPath, Seed

Real = Annotated[float, Ge(-1e12), Le(1e12)]
Whole = Annotated[int, Ge(-9_007_199_254_740_991), Le(9_007_199_254_740_991)]
Choice = Annotated[str, Field(max_length=64)]
MAX_CHOICES = 64


class SamplerName(StrEnum):
    """Optuna's samplers."""

    TPE = "tpe"
    RANDOM = "random"
    GRID = "grid"
    CMAES = "cmaes"
    QMC = "qmc"
    NSGAII = "nsgaii"


class PrunerName(StrEnum):
    """Optuna's pruners."""

    NONE = "none"
    MEDIAN = "median"
    PERCENTILE = "percentile"
    ASHA = "asha"
    HYPERBAND = "hyperband"
    PATIENT = "patient"
    THRESHOLD = "threshold"


class Preset(StrEnum):
    """Search spaces that need no parameters."""

    AUTO = "Auto"


class Sampler(ApiModel):
    """How the next point is chosen."""

    name: SamplerName = SamplerName.TPE
    """tpe, random, grid, cmaes, qmc or nsgaii."""
    seed: Seed = 0
    """The same seed and order of results give the same points."""
    startup_trials: Annotated[int, Ge(0), Le(10_000)] = 10
    """Random points before tpe or cmaes begins."""
    population_size: Annotated[int, Ge(2), Le(10_000)] = 50
    """Points of a generation of nsgaii."""


class Pruner(ApiModel):
    """When an unpromising trial is stopped early."""

    name: PrunerName = PrunerName.NONE
    """none, median, percentile, asha, hyperband, patient or threshold."""
    startup_trials: Annotated[int, Ge(0), Le(10_000)] = 5
    """Trials that finish before median and percentile prune."""
    warmup_epochs: Annotated[int, Ge(0), Le(1_000_000)] = 0
    """Epochs of each trial before it may be pruned."""
    interval_epochs: Annotated[int, Ge(1), Le(1_000_000)] = 1
    """Epochs between looks."""
    percentile: Annotated[float, Gt(0.0), Lt(100.0)] | None = None
    """Keep trials in this best percent (percentile)."""
    min_epochs: Annotated[int, Ge(1), Le(1_000_000)] = 1
    """Epochs of the first rung (asha, hyperband)."""
    reduction_factor: Annotated[int, Ge(2), Le(100)] = 4
    """One in this many goes on to the next rung (asha, hyperband)."""
    patience: Annotated[int, Ge(0), Le(1_000_000)] | None = None
    """Epochs without a better value (patient)."""
    min_delta: Annotated[float, Ge(0.0), Le(1e12)] = 0.0
    """Smaller gains count as none (patient)."""
    lower: Real | None = None
    """Prune below this value (threshold)."""
    upper: Real | None = None
    """Prune above this value (threshold)."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.name != 'percentile' || has(self.percentile)",
            "pruner percentile needs percentile",
            lambda p: p.name is not PrunerName.PERCENTILE or p.percentile is not None,
            ".percentile",
        ),
        Rule(
            "self.name != 'patient' || has(self.patience)",
            "pruner patient needs patience",
            lambda p: p.name is not PrunerName.PATIENT or p.patience is not None,
            ".patience",
        ),
        Rule(
            "self.name != 'threshold' || has(self.lower) || has(self.upper)",
            "pruner threshold needs lower or upper",
            lambda p: p.name is not PrunerName.THRESHOLD or p.lower is not None or p.upper is not None,
        ),
    )


class FloatRange(ApiModel):
    """Real numbers from min to max, both included."""

    min: Real
    """Smallest value."""
    max: Real
    """Largest value."""
    step: Annotated[float, Gt(0.0), Le(1e12)] | None = None
    """Only min, min + step, and so on; not with log."""
    log: bool = False
    """Equal chance for equal ratios; min must be above 0."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("self.min <= self.max", "min must not be above max", lambda r: r.min <= r.max),
        Rule(
            "!self.log || self.min > 0.0", "log needs min above 0", lambda r: not r.log or r.min > 0, ".min"
        ),
        Rule(
            "!self.log || !has(self.step)",
            "log and step exclude each other",
            lambda r: not r.log or r.step is None,
        ),
    )


class IntRange(ApiModel):
    """Whole numbers from min to max, both included."""

    min: Whole
    """Smallest value."""
    max: Whole
    """Largest value."""
    step: Annotated[int, Ge(1), Le(9_007_199_254_740_991)] = 1
    """Only min, min + step, and so on."""
    log: bool = False
    """Equal chance for equal ratios; min must be at least 1."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("self.min <= self.max", "min must not be above max", lambda r: r.min <= r.max),
        Rule(
            "!self.log || self.min >= 1",
            "log needs min of at least 1",
            lambda r: not r.log or r.min >= 1,
            ".min",
        ),
        Rule(
            "!self.log || self.step == 1",
            "log and step exclude each other",
            lambda r: not r.log or r.step == 1,
        ),
    )


class Categorical(ApiModel):
    """Choices without order; exactly one list is set."""

    strings: Annotated[tuple[Choice, ...], Field(min_length=1, max_length=MAX_CHOICES)] | None = None
    """Texts."""
    integers: Annotated[tuple[Whole, ...], Field(min_length=1, max_length=MAX_CHOICES)] | None = None
    """Whole numbers."""
    numbers: Annotated[tuple[Real, ...], Field(min_length=1, max_length=MAX_CHOICES)] | None = None
    """Real numbers."""
    booleans: Annotated[tuple[bool, ...], Field(min_length=1, max_length=2)] | None = None
    """Truth values."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("strings", "integers", "numbers", "booleans"),)

    @property
    def choices(self) -> tuple[str | int | float | bool, ...]:
        """The list that is set."""
        return self.strings or self.integers or self.numbers or self.booleans or ()


class When(ApiModel):
    """The parameter exists only while another one has certain values."""

    path: ParameterPath
    """The other parameter."""
    min: Real | None = None
    """It is at least this."""
    max: Real | None = None
    """It is at most this."""
    strings: Annotated[tuple[Choice, ...], Field(min_length=1, max_length=8)] | None = None
    """It is one of these texts."""
    boolean: bool | None = None
    """It is this."""

    rules: ClassVar[tuple[Rule, ...]] = (at_least_one("min", "max", "strings", "boolean"),)


class Parameter(ApiModel):
    """One thing that varies; exactly one of float, int and categorical is set."""

    path: ParameterPath
    """The field in the template's spec, lists included: model.convnet.conv[0].channels; conv.length is the
    list's length."""
    float_: FloatRange | None = None
    """Real numbers."""
    int_: IntRange | None = None
    """Whole numbers."""
    categorical: Categorical | None = None
    """Choices."""
    when: When | None = None
    """The parameter exists only then."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("float", "int", "categorical"),)


class ParameterValue(ApiModel):
    """One parameter of a point; exactly one value is set."""

    path: ParameterPath
    """The parameter."""
    number: Real | None = None
    """A real number."""
    integer: Whole | None = None
    """A whole number."""
    string: Choice | None = None
    """A text."""
    boolean: bool | None = None
    """A truth value."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("number", "integer", "string", "boolean"),)

    @property
    def value(self) -> str | int | float | bool | None:
        """The value that is set."""
        for member in (self.number, self.integer, self.string, self.boolean):
            if member is not None:
                return member
        return None


Point = Annotated[tuple[ParameterValue, ...], Field(min_length=1, max_length=64)]


class KnownPoint(ApiModel):
    """A point to try first or, with values, one that is known already."""

    parameters: Point
    """Its parameters; the sampler draws those not named."""
    values: Annotated[tuple[Real, ...], Field(min_length=1, max_length=3)] | None = None
    """Its objective values; such a point is told, not run, and does not count against the budget."""


class WarmStart(ApiModel):
    """What is known before the first trial."""

    studies: Annotated[tuple[ObjectName, ...], Field(max_length=8)] = ()
    """Studies of this namespace whose finished trials are told to the sampler."""
    points: Annotated[tuple[KnownPoint, ...], Field(max_length=4)] = ()
    """Points to try first or that are known already."""
    max_trials: Count = 1000
    """Most trials to take over from each Study."""


class Search(ApiModel):
    """What varies and how points are chosen."""

    sampler: Sampler = Sampler()
    """How the next point is chosen."""
    pruner: Pruner = Pruner()
    """When an unpromising trial is stopped early."""
    parameters: (
        Annotated[
            tuple[Parameter, ...],
            Field(
                min_length=1,
                max_length=64,
                json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["path"]},
            ),
        ]
        | None
    ) = None
    """What varies."""
    preset: Preset | None = None
    """Auto: the family's space, sized by the data; instead of parameters."""
    warm_start: WarmStart | None = None
    """What is known before the first trial."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("parameters", "preset"),
        Rule(
            "!has(self.sampler) || self.sampler.name != 'grid' || (has(self.parameters) && "
            "!self.parameters.exists(p, has(p.float) && !has(p.float.step)))",
            "sampler grid needs parameters, each float with a step",
            lambda s: (
                s.sampler.name is not SamplerName.GRID
                or (
                    s.parameters is not None
                    and all(p.float_ is None or p.float_.step is not None for p in s.parameters)
                )
            ),
            ".parameters",
        ),
    )
