"""Trainyard: a Kubernetes-native training operator, its coordinator, its command line and its Python API.

Importing it loads nothing heavy: `trainyard.run`, `trainyard.load` and the estimators are imported when they
are first used, so that the operator never loads torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainyard import errors
    from trainyard.estimators import MLPClassifier, MLPRegressor, TabNetClassifier, TabNetRegressor
    from trainyard.local.model import Model, load
    from trainyard.local.result import Result
    from trainyard.local.run import run

__version__ = "0.1.0"
__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "Model",
    "Result",
    "TabNetClassifier",
    "TabNetRegressor",
    "errors",
    "load",
    "run",
]

_MODULES = {
    "Model": "trainyard.local.model",
    "load": "trainyard.local.model",
    "Result": "trainyard.local.result",
    "run": "trainyard.local.run",
    **dict.fromkeys(
        ("MLPClassifier", "MLPRegressor", "TabNetClassifier", "TabNetRegressor"), "trainyard.estimators"
    ),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, once."""
    if name == "errors":
        return importlib.import_module("trainyard.errors")
    if name not in _MODULES:
        raise AttributeError(f"module 'trainyard' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What there is, imported or not."""
    return sorted({*globals(), *__all__})
