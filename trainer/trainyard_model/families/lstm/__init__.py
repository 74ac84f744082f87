"""LSTM: texts read token by token, in one direction or both."""

from ..base import Family
from .config import LSTMConfig, LSTMSettings, configure
from .network import LSTM

FAMILY = Family(
    name="lstm",
    learning_rate=lambda settings: 0.002,
    settings=LSTMSettings,
    config=configure,
    read_config=LSTMConfig.from_json,
    build=LSTM,
    takes="text",
)

__all__ = ["FAMILY", "LSTM", "LSTMConfig", "LSTMSettings"]
