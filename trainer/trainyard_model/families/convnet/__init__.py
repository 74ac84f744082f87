"""Convolutional network: blocks of convolution, batch norm, ReLU, pooling and dropout, then dense layers."""

from ..base import Family
from .config import Conv, ConvNetConfig, ConvNetSettings, Dense, configure
from .network import ConvNet

FAMILY = Family(
    name="convnet",
    learning_rate=lambda settings: 0.001,
    settings=ConvNetSettings,
    config=configure,
    read_config=ConvNetConfig.from_json,
    build=ConvNet,
    takes="image",
)

__all__ = ["FAMILY", "Conv", "ConvNet", "ConvNetConfig", "ConvNetSettings", "Dense"]
