"""The network as people think of it: an LSTM layer is one block, whichever ways it reads."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..base import Layer
from .config import LSTMConfig

_POOLINGS = {
    "last": "state after the last token",
    "max": "maximum over the tokens",
    "mean": "mean over the tokens",
    "attention": "weighted mean over the tokens",
}


def outline(config: LSTMConfig, parameters: Mapping[str, Tensor]) -> tuple[Layer, ...]:
    """Embedding, recurrent layers, pooling, dense layers, head.

    Args:
        config: Of the network.
        parameters: Its parameters by name.
    """
    found: list[Layer] = []

    def size(prefix: str) -> int:
        return sum(tensor.numel() for name, tensor in parameters.items() if name.startswith(prefix))

    def add(name: str, kind: str, shape: tuple[int, ...], count: int) -> None:
        outer = [i for i, layer in enumerate(found) if layer.depth == 0]
        found.append(Layer(name, kind, shape, count, (outer[-1] if outer else -1,)))

    add("embedding", "a vector for each token", (config.length, config.embedding_size), size("embedding."))
    for i in range(config.layers):
        kind = "LSTM in both directions" if config.bidirectional else "LSTM"
        add(f"layer {i + 1}", kind, (config.length, config.state), size(f"layers.{i}."))
        for j, way in enumerate(("forward", "backward") if config.bidirectional else ()):
            shape, count = (config.length, config.hidden_size), size(f"layers.{i}.{j}.")
            found.append(Layer(f"layer {i + 1}, {way}", "LSTM", shape, count, depth=1))
    add("pooling", _POOLINGS[config.pooling], (config.state,), size("pooling."))
    for i, units in enumerate(config.dense_units):
        add(f"dense {i + 1}", "linear, ReLU", (units,), size(f"dense.{i}."))
    add("head", "linear", (config.outputs,), size("head."))
    add("output", "", (config.outputs,), 0)
    return tuple(found)
