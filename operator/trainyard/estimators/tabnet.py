"""TabNet in scikit-learn's manner, its parameters under the paper's names."""

from __future__ import annotations

from dataclasses import dataclass

from trainyard.estimators.base import Estimator
from trainyard.estimators.kinds import Classifier, Regressor


@dataclass(eq=False, repr=False, kw_only=True)
class _TabNet(Estimator):
    """Parameters of the network.

    Attributes:
        n_d: Width of the decision layer.
        n_a: Width of the attention embedding; usually equal to n_d.
        n_steps: Decision steps.
        gamma: How freely a column may be used again in later steps; 1 means once.
        n_independent: GLU layers of each step's own.
        n_shared: GLU layers shared by all steps.
        virtual_batch_size: Rows of one ghost batch of batch normalisation.
        momentum: Momentum of batch normalisation, in torch's sense.
        mask_type: Sparsemax or Entmax.
        lambda_sparse: Weight of the sparsity penalty on the masks.
        embedding_size: Width of each categorical column's embedding; None means by its cardinality.
        category_dropout: Share of categorical values hidden while training, so that unseen ones do no harm.
    """

    n_d: int = 8
    n_a: int = 8
    n_steps: int = 3
    gamma: float = 1.3
    n_independent: int = 2
    n_shared: int = 2
    virtual_batch_size: int = 128
    momentum: float = 0.02
    mask_type: str = "Sparsemax"
    lambda_sparse: float = 0.001
    embedding_size: int | None = None
    category_dropout: float = 0.05

    family = "tabnet"


@dataclass(eq=False, repr=False, kw_only=True)
class TabNetClassifier(Classifier, _TabNet):
    """A TabNet that tells classes apart.

    >>> import numpy as np
    >>> X = np.arange(40.0).reshape(20, 2)
    >>> model = TabNetClassifier(epochs=2, random_state=0).fit(X, X[:, 0] > 20)
    >>> model.predict_proba(X).shape
    (20, 2)
    """


@dataclass(eq=False, repr=False, kw_only=True)
class TabNetRegressor(Regressor, _TabNet):
    """A TabNet that predicts one value or several."""
