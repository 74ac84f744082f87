"""What the loop needs to know, in its own words."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OptimizerSettings:
    """An optimiser by the name that torch users know; None takes torch's default."""

    name: str = "adam"
    learning_rate: float = 0.02
    weight_decay: float = 0.0
    momentum: float | None = None
    nesterov: bool = False
    beta1: float | None = None
    beta2: float | None = None
    rho: float | None = None
    epsilon: float | None = None


@dataclass(frozen=True, slots=True)
class ScheduleSettings:
    """How the learning rate changes; `name` is step, cosine, one_cycle, plateau, or None for constant."""

    name: str | None = None
    warmup_epochs: float = 0.0
    every_epochs: int = 10
    factor: float = 0.9
    min_learning_rate: float = 0.0
    max_learning_rate: float = 0.0
    rise_fraction: float = 0.3
    patience: int = 5


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """Random variations of training images; `erase` is a probability."""

    shift_pixels: int = 0
    rotate_degrees: float = 0.0
    horizontal_flip: bool = False
    erase: float = 0.0


@dataclass(frozen=True, slots=True)
class FitSettings:
    """All of the fit stage. `metric` and `stop_metric` of None take the task's default."""

    epochs: int = 50
    batch_size: int = 1024
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    metric: str | None = None
    maximize: bool | None = None
    stop_metric: str | None = None
    patience: int | None = None
    min_delta: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    label_smoothing: float = 0.0
    balanced: bool = False
    class_weights: tuple[tuple[str, float], ...] = ()
    seed: int = 0
    bfloat16: bool = False
    compile: bool = False
    deterministic: bool = False
    checkpoint_seconds: float = 15.0
    augment: AugmentSettings | None = None
