"""Classification and regression, whatever the family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas
from sklearn.base import ClassifierMixin, RegressorMixin
from typing_extensions import override

from trainyard.estimators.base import Estimator
from trainyard.estimators.inputs import classes_of, values_of
from trainyard_model.values import category_text


@dataclass(eq=False, repr=False, kw_only=True)
class Classifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """Labels of any kind; probabilities in the order of `classes_`.

    Attributes:
        class_weight: Weight of each class by label in the loss, "balanced", or None for equal ones.
    """

    class_weight: Mapping[Any, float] | str | None = None

    _task = "Classification"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train.

        Args:
            X: A data frame or an array (rows, columns).
            y: Labels.
            sample_weight: Weight of each row in the loss.

        Raises:
            TrainyardError, ValueError, TypeError: The rows, the labels or a parameter cannot be used.
        """
        labels, self.classes_ = classes_of(X, y)
        data: dict[str, Any] = {}
        if len(self.classes_) == 2:
            data["positiveClass"] = category_text(self.classes_[1])
        if self.class_weight is not None:
            data["classWeights"] = self._class_weights()
        return self._train(X, pandas.DataFrame({_name(y): labels}), data, sample_weight)

    def predict_proba(self, X: Any) -> np.ndarray[Any, Any]:
        """Probability of each class (rows, classes), in the order of `classes_`."""
        scores = self._scores(X)
        texts = [category_text(label) for label in self._predictor.schema.classes]
        return scores[:, [texts.index(category_text(label)) for label in self.classes_]]

    def predict(self, X: Any) -> np.ndarray[Any, Any]:
        """The likeliest class of each row."""
        chosen = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes_[chosen])

    def _class_weights(self) -> dict[str, Any]:
        if self.class_weight == "balanced":
            return {"balanced": {}}
        if not isinstance(self.class_weight, Mapping):
            raise ValueError(f"class_weight must be a dict, 'balanced' or None, not {self.class_weight!r}")
        return {"fixed": {str(category_text(k)): float(v) for k, v in self.class_weight.items()}}


@dataclass(eq=False, repr=False, kw_only=True)
class Regressor(RegressorMixin, Estimator):  # type: ignore[misc]
    """One target, or several at once."""

    _task = "Regression"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train.

        Args:
            X: A data frame or an array (rows, columns).
            y: Values (rows,), or (rows, targets).
            sample_weight: Weight of each row in the loss.

        Raises:
            TrainyardError, ValueError, TypeError: The rows, the values or a parameter cannot be used.
        """
        values = values_of(X, y)
        self._flat = values.ndim == 1
        names = [_name(y)] if self._flat or values.shape[1] == 1 else _names(y, values.shape[1])
        return self._train(X, pandas.DataFrame(values, columns=names), {}, sample_weight)

    def predict(self, X: Any) -> np.ndarray[Any, Any]:
        """Values in the shape of the target that was fitted."""
        scores = self._scores(X)
        return scores[:, 0] if self._flat else scores

    @override
    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _name(y: Any) -> str:
    name = getattr(y, "name", None)
    return name if isinstance(name, str) and name else "target"


def _names(y: Any, count: int) -> list[str]:
    columns = getattr(y, "columns", None)
    return [f"target{i}" for i in range(count)] if columns is None else [str(c) for c in columns]
