"""The API's training section as the settings of the fit stage."""

from __future__ import annotations

from trainyard.api.data import Data
from trainyard.api.text import Augmentation
from trainyard.api.training import Precision, Schedule, Training
from trainyard_trainer.evaluate.settings import EvaluationSettings
from trainyard_trainer.evaluate.threshold import DEFAULT_METRIC, check_metric
from trainyard_trainer.fit.settings import (
    AugmentSettings,
    FitSettings,
    OptimizerSettings,
    ScheduleSettings,
)


def fit_settings(training: Training, data: Data, learning_rate: float) -> FitSettings:
    """Settings of the fit stage; `learning_rate` is the family's own."""
    optimizer, stopping, clipping = training.optimizer, training.early_stopping, training.gradient_clipping
    weights = data.class_weights
    default_rate = {"adadelta": 1.0, "sgd": 0.01}.get(optimizer.name.value, learning_rate)
    return FitSettings(
        epochs=training.epochs,
        batch_size=training.batch_size,
        optimizer=OptimizerSettings(
            name=optimizer.name.value,
            learning_rate=optimizer.learning_rate or default_rate,
            weight_decay=optimizer.weight_decay,
            momentum=optimizer.momentum,
            nesterov=optimizer.nesterov,
            beta1=optimizer.beta1,
            beta2=optimizer.beta2,
            rho=optimizer.rho,
            epsilon=optimizer.epsilon,
        ),
        schedule=_schedule(training.schedule),
        metric=training.metric,
        maximize=None if training.goal is None else training.goal.value == "Maximize",
        stop_metric=stopping.metric if stopping else None,
        patience=stopping.patience if stopping else None,
        min_delta=stopping.min_delta if stopping else 0.0,
        clip_norm=clipping.norm if clipping else None,
        clip_value=clipping.value if clipping else None,
        label_smoothing=training.label_smoothing,
        balanced=weights is not None and weights.balanced is not None,
        class_weights=tuple((weights.fixed or {}).items()) if weights else (),
        seed=training.seed,
        bfloat16=training.precision is Precision.BFLOAT16,
        compile=training.compile,
        deterministic=training.deterministic,
        checkpoint_seconds=training.checkpointing.interval_seconds,
        augment=_augment(data.image.augmentation) if data.image and data.image.augmentation else None,
    )


def _augment(wanted: Augmentation) -> AugmentSettings:
    return AugmentSettings(wanted.shift_pixels, wanted.rotate_degrees, wanted.horizontal_flip, wanted.erase)


def evaluation_settings(training: Training) -> EvaluationSettings:
    """Settings of the evaluation.

    Raises:
        InvalidSpec: The threshold is to be chosen by a metric that does not depend on one.
    """
    wanted = training.evaluation
    metric = wanted.threshold_metric or DEFAULT_METRIC
    check_metric(metric)
    return EvaluationSettings(
        bootstrap_samples=wanted.bootstrap_samples,
        baseline=wanted.baseline,
        threshold_metric=metric,
        seed=training.seed,
    )


def _schedule(schedule: Schedule | None) -> ScheduleSettings:
    if schedule is None:
        return ScheduleSettings()
    warmup = schedule.warmup_epochs
    if (step := schedule.step) is not None:
        return ScheduleSettings("step", warmup, every_epochs=step.every_epochs, factor=step.factor)
    if (cosine := schedule.cosine) is not None:
        return ScheduleSettings("cosine", warmup, min_learning_rate=cosine.min_learning_rate)
    if (cycle := schedule.one_cycle) is not None:
        return ScheduleSettings(
            "one_cycle",
            warmup,
            max_learning_rate=cycle.max_learning_rate,
            rise_fraction=cycle.rise_fraction,
        )
    if (plateau := schedule.plateau) is not None:
        return ScheduleSettings("plateau", warmup, factor=plateau.factor, patience=plateau.patience)
    return ScheduleSettings(None, warmup)
