"""Multi-layer perceptron: residual layers, an ensemble of cheap heads, and without layers a linear model."""

from ..base import Family
from .config import MLPConfig, MLPSettings, configure
from .network import MLP, Linear, build

FAMILY = Family(
    name="mlp",
    learning_rate=lambda settings: 0.001 if settings.layers else 0.02,  # few weights bear large steps
    settings=MLPSettings,
    config=configure,
    read_config=MLPConfig.from_json,
    build=build,
)

__all__ = ["FAMILY", "MLP", "Linear", "MLPConfig", "MLPSettings"]
