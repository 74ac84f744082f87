"""Settings of the LSTM, and the configuration that they and the data make."""

from __future__ import annotations

from dataclasses import dataclass

from ..base import Config, Shape


@dataclass(frozen=True, slots=True)
class LSTMSettings:
    """`pooling` is last, max, mean or attention."""

    embedding_size: int = 100
    hidden_size: int = 128
    layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.2
    pooling: str = "max"
    dense_units: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LSTMConfig(Config):
    """Everything that fixes the network's shape and its training; written into the package.

    Attributes:
        vocabulary: Ids of tokens, padding and the unknown token included.
        length: Tokens of a text that are read at most; for people, the network takes any number.
    """

    vocabulary: int
    length: int
    outputs: int
    classification: bool
    embedding_size: int
    hidden_size: int
    layers: int
    bidirectional: bool
    dropout: float
    pooling: str
    dense_units: tuple[int, ...]

    @property
    def state(self) -> int:
        """Width of what a recurrent layer gives for a token."""
        return self.hidden_size * (2 if self.bidirectional else 1)


def configure(settings: LSTMSettings, shape: Shape) -> LSTMConfig:
    """The network for such data."""
    assert shape.text is not None  # noqa: S101 - the family takes texts
    return LSTMConfig(
        vocabulary=shape.text.vocabulary,
        length=shape.text.length,
        outputs=shape.outputs,
        classification=shape.classification,
        embedding_size=settings.embedding_size,
        hidden_size=settings.hidden_size,
        layers=settings.layers,
        bidirectional=settings.bidirectional,
        dropout=settings.dropout,
        pooling=settings.pooling,
        dense_units=settings.dense_units,
    )
