"""Settings of the convolutional network, and the configuration that they and the images make."""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ...errors import ShapeError
from ..base import Config, Shape

Part = TypeVar("Part")
Map = tuple[int, int, int]
"""Channels, height and width."""


@dataclass(frozen=True, slots=True)
class Conv:
    """A block: convolution, batch norm, ReLU, max pool, dropout."""

    channels: int
    kernel: int = 3
    stride: int = 1
    pool: int = 2
    dropout: float = 0.0


@dataclass(frozen=True, slots=True)
class Dense:
    """A dense layer with ReLU and dropout."""

    units: int
    dropout: float = 0.0


@dataclass(frozen=True, slots=True)
class ConvNetSettings:
    """Blocks and dense layers may come as mappings, as JSON has them."""

    conv: tuple[Conv, ...]
    dense: tuple[Dense, ...] = ()
    batch_norm: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "conv", _parts(Conv, self.conv))
        object.__setattr__(self, "dense", _parts(Dense, self.dense))


@dataclass(frozen=True, slots=True)
class ConvNetConfig(Config):
    """Everything that fixes the network's shape and its training; written into the package."""

    channels: int
    height: int
    width: int
    means: tuple[float, ...]
    scales: tuple[float, ...]
    conv: tuple[Conv, ...]
    dense: tuple[Dense, ...]
    batch_norm: bool
    outputs: int
    classification: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "conv", _parts(Conv, self.conv))
        object.__setattr__(self, "dense", _parts(Dense, self.dense))

    @property
    def maps(self) -> tuple[tuple[Map, Map], ...]:
        """Of each block what its convolution gives, and what its pool leaves of that.

        A convolution keeps the size: its input is padded by zeros, which are the training pixels' mean, with
        (kernel - 1) // 2 before and kernel // 2 after. A stride of s leaves every s-th position, the first
        included; a pool takes whole squares only.
        """
        found = []
        height, width = self.height, self.width
        for block in self.conv:
            high, wide = -(-height // block.stride), -(-width // block.stride)
            height, width = high // block.pool, wide // block.pool
            found.append(((block.channels, high, wide), (block.channels, height, width)))
        return tuple(found)


def configure(settings: ConvNetSettings, shape: Shape) -> ConvNetConfig:
    """The network for such images.

    Raises:
        ShapeError: A pool would leave nothing of an image.
    """
    image = shape.image
    assert image is not None  # noqa: S101 - the family takes images
    config = ConvNetConfig(
        channels=image.channels,
        height=image.height,
        width=image.width,
        means=image.means,
        scales=image.scales,
        conv=settings.conv,
        dense=settings.dense,
        batch_norm=settings.batch_norm,
        outputs=shape.outputs,
        classification=shape.classification,
    )
    for i, ((_, high, wide), (_, height, width)) in enumerate(config.maps):
        if not height or not width:
            raise ShapeError(
                f"model.convnet.conv[{i}].pool: of {image.height} x {image.width} pixels {high} x {wide} are "
                f"left in block {i + 1}, of which a pool of {config.conv[i].pool} leaves {height} x {width}",
                f"lower conv[{i}].pool, or strides and pools before it, or use larger images",
            )
    return config


def _parts(kind: type[Part], values: Iterable[Part | Mapping[str, Any]]) -> tuple[Part, ...]:
    return tuple(kind(**value) if isinstance(value, Mapping) else value for value in values)
