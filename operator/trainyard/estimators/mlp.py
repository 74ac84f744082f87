"""The multi-layer perceptron in scikit-learn's manner."""

from __future__ import annotations

from dataclasses import dataclass

from trainyard.estimators.base import Estimator
from trainyard.estimators.kinds import Classifier, Regressor


@dataclass(eq=False, repr=False, kw_only=True)
class _MLP(Estimator):
    """Parameters of the network.

    Attributes:
        layers: Hidden layers; 0 is a linear model.
        width: Units of each hidden layer.
        dropout: Dropout after each hidden layer.
        residual: Add each hidden layer's input to its output.
        heads: Members of the parameter-sharing ensemble; 1 means none.
        embedding_size: Width of each categorical column's embedding; None means by its cardinality.
    """

    layers: int = 3
    width: int = 256
    dropout: float = 0.1
    residual: bool = True
    heads: int = 1
    embedding_size: int | None = None

    family = "mlp"


@dataclass(eq=False, repr=False, kw_only=True)
class MLPClassifier(Classifier, _MLP):
    """A perceptron that tells classes apart."""


@dataclass(eq=False, repr=False, kw_only=True)
class MLPRegressor(Regressor, _MLP):
    """A perceptron that predicts one value or several."""
