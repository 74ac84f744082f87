"""The metrics by name: for which task, and which way each is better. The only list of them.

A metric's full name carries its part before it (`val_`, `test_`, `oof_`), and a baseline's one also says
which baseline (`test_baseline_roc_auc`).
"""

from __future__ import annotations

from trainyard_model.schema import Task

CLASSIFICATION: dict[str, bool] = {
    "accuracy": True,
    "balanced_accuracy": True,
    "f1": True,
    "f1_macro": True,
    "f1_micro": True,
    "precision": True,
    "recall": True,
    "npv": True,
    "roc_auc": True,
    "pr_auc": True,
    "log_loss": False,
    "ece": False,
}
"""Name -> whether larger is better. `f1` exists for two classes only; `precision`, `recall` and `npv` are the
positive class's with two classes and the mean over classes with more; `roc_auc` and `pr_auc` with more than
two classes are the mean of one against the rest."""

REGRESSION: dict[str, bool] = {"rmse": False, "mae": False, "r2": True, "mape": False}
"""With several targets the mean over targets."""

_LOSS = {"loss": False}
_ALL = {**CLASSIFICATION, **REGRESSION, **_LOSS}

AT_THRESHOLD = frozenset(
    {"accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_micro", "precision", "recall", "npv"}
)
"""Those that depend on the decision threshold."""


def names(task: Task, classes: int) -> tuple[str, ...]:
    """What `evaluate` gives for a task, in its order."""
    if task == "Regression":
        return tuple(REGRESSION)
    return tuple(name for name in CLASSIFICATION if name != "f1" or classes == 2)


def maximised(metric: str) -> bool:
    """Whether larger is better, by the metric's name with or without its part; unknown ones count as so."""
    words = metric.split("_")
    for start in range(len(words)):
        if (name := "_".join(words[start:])) in _ALL:
            return _ALL[name]
    return True


def default_metric(task: Task, classes: int) -> str:
    """The validation metric that chooses the epoch where the specification is silent."""
    if task == "Regression":
        return "val_rmse"
    return "val_roc_auc" if classes == 2 else "val_accuracy"
