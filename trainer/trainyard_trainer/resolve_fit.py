"""The API's training section as the settings of the fit stage."""

from __future__ import annotations

from trainyard.api.data import Data
from trainyard.api.training import Training
from trainyard_trainer.fit.settings import FitSettings, OptimizerSettings


def unsupported_training(training: Training) -> list[str]:
    """Fields that ask for what this version does not do."""
    asked = {
        "training.schedule": training.schedule,
        "training.compile": training.compile,
        "training.precision other than Float32": training.precision.value != "Float32",
        "training.callbacks": training.callbacks,
    }
    return [field for field, value in asked.items() if value]


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
        deterministic=training.deterministic,
        checkpoint_seconds=training.checkpointing.interval_seconds,
    )
