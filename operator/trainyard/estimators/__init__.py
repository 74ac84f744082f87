"""Estimators in scikit-learn's manner: the trainer's data, fit and package stages behind `fit` and `predict`.

They log nothing to MLflow. Missing values and categories are taken as they come, in arrays and data frames.
"""

from trainyard.estimators.mlp import MLPClassifier, MLPRegressor
from trainyard.estimators.tabnet import TabNetClassifier, TabNetRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "TabNetClassifier", "TabNetRegressor"]
