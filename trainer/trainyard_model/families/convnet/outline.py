"""The network as it is drawn: a box a block, with what it does in a line."""

from __future__ import annotations

from collections.abc import Mapping

from ..base import Layer
from .config import Conv, ConvNetConfig


def outline(config: ConvNetConfig, sizes: Mapping[str, int]) -> tuple[Layer, ...]:
    """Each block feeds the next; inside it are its convolution, its norm and its pool.

    Args:
        config: Of the network.
        sizes: Numbers in each of its parameters, by name.
    """
    found: list[Layer] = []
    last = -1

    def count(prefix: str) -> int:
        return sum(size for name, size in sizes.items() if name.startswith(prefix))

    def add(name: str, kind: str, shape: tuple[int, ...], parameters: int) -> None:
        nonlocal last
        found.append(Layer(name, kind, shape, parameters, (last,)))
        last = len(found) - 1

    for i, (block, (convolved, pooled)) in enumerate(zip(config.conv, config.maps, strict=True)):
        name = f"blocks.{i}"
        add(name, _kind(block), pooled, count(f"{name}."))
        kernels = count(f"{name}.weight") + count(f"{name}.bias")
        steps = [Layer(f"{name}.conv", "convolution", convolved, kernels, depth=1)]
        if config.batch_norm:
            steps.append(Layer(f"{name}.norm", "batch norm", convolved, count(f"{name}.norm."), depth=1))
        if block.pool > 1:
            steps.append(Layer(f"{name}.pool", "max pool", pooled, 0, depth=1))
        found += steps
    for i, dense in enumerate(config.dense):
        add(f"dense.{i}", "linear, ReLU", (dense.units,), count(f"dense.{i}."))
    add("head", "linear", (config.outputs,), count("head."))
    add("output", "", (config.outputs,), 0)
    return tuple(found)


def _kind(block: Conv) -> str:
    stride = f", stride {block.stride}" if block.stride > 1 else ""
    pool = f", pool {block.pool}" if block.pool > 1 else ""
    return f"conv {block.kernel} × {block.kernel}{stride}{pool}"
