"""Settings of the multi-layer perceptron, and the configuration that they and the data make."""

from __future__ import annotations

from dataclasses import dataclass

from ...embedding import embedding_width
from ..base import Config, Shape


@dataclass(frozen=True, slots=True)
class MLPSettings:
    """0 layers are a linear model, which has neither width nor dropout nor heads."""

    layers: int = 3
    width: int = 256
    dropout: float = 0.1
    residual: bool = True
    heads: int = 1
    embedding_size: int | None = None


@dataclass(frozen=True, slots=True)
class MLPConfig(Config):
    """Everything that fixes the network's shape and its training; written into the package."""

    numeric: int
    cardinalities: tuple[int, ...]
    widths: tuple[int, ...]
    outputs: int
    classification: bool
    layers: int
    width: int
    dropout: float
    residual: bool
    heads: int

    @property
    def spans(self) -> tuple[int, ...]:
        """How many numbers each column becomes; numeric columns first."""
        return (1,) * self.numeric + self.widths


def configure(settings: MLPSettings, shape: Shape) -> MLPConfig:
    """The network for such data.

    A linear model gives each category one number an output, which is its one-hot coefficient.
    """
    linear = settings.layers == 0
    widths = [
        shape.outputs if linear else settings.embedding_size or embedding_width(c)
        for c in shape.cardinalities
    ]
    return MLPConfig(
        numeric=shape.numeric,
        cardinalities=shape.cardinalities,
        widths=tuple(widths),
        outputs=shape.outputs,
        classification=shape.classification,
        layers=settings.layers,
        width=settings.width,
        dropout=0.0 if linear else settings.dropout,
        residual=settings.residual,
        heads=1 if linear else settings.heads,
    )
