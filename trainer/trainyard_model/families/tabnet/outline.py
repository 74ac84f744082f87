"""The network as people know it from the paper: its parameters are packed over steps, its picture is not."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..base import Layer
from .config import TabNetConfig


def outline(config: TabNetConfig, parameters: Mapping[str, Tensor]) -> tuple[Layer, ...]:
    """Transformers and masks step by step, with what feeds each.

    Args:
        config: Of the network.
        parameters: Its parameters by name.
    """
    size = {name: tensor.numel() for name, tensor in parameters.items()}
    hidden, columns = (config.n_d + config.n_a,), (config.features,)
    each = config.n_steps + 1
    shared = size["shared"] + (size["first"] if config.n_shared else 0)
    own = (size["own"] + size["gain"] + size["bias"] + (0 if config.n_shared else size["first"])) // each
    attend = sum(size[name] for name in ("attend", "attend_gain", "attend_bias")) // config.n_steps
    found: list[Layer] = []

    def add(name: str, kind: str, shape: tuple[int, ...], count: int, *sources: int) -> int:
        found.append(Layer(name, kind, shape, count, tuple(sorted(set(sources)))))
        return len(found) - 1

    fed = []
    if config.cardinalities:
        fed.append(
            add("embedding", "one for each category", (sum(config.widths),), _of(size, "embedding."), -1)
        )
    if config.numeric:
        fed.append(-1)
    norm = add("initial norm", "batch norm", (config.inputs,), _of(size, "initial_norm."), *fed)
    last = add("step 0", "feature transformer", hidden, shared + own, norm)
    masks: list[int] = []
    decided = []
    for step in range(1, config.n_steps + 1):
        masks.append(add(f"mask {step}", "attentive transformer", columns, attend, last, *masks))
        last = add(f"step {step}", "feature transformer", hidden, own, norm, masks[-1])
        decided.append(last)
    head = add("head", "linear", (config.outputs,), size["head"], *decided)
    add("output", "", (config.outputs,), 0, head)
    return tuple(found)


def _of(size: Mapping[str, int], prefix: str) -> int:
    return sum(count for name, count in size.items() if name.startswith(prefix))
