"""Weights by layer, as packages of format 1 and pytorch-tabnet name them, into one tensor a kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .config import TabNetConfig

_NORM = {"weight": "gain", "bias": "bias", "running_mean": "mean", "running_var": "variance"}


def pack(state: dict[str, Any], prefix: str, config: TabNetConfig) -> None:
    """Replace the names of format 1 in a state dict by today's, in place; today's are left alone."""
    if f"{prefix}attention.0.layer.weight" not in state:
        return
    old = {
        name.removeprefix(prefix): state.pop(name)
        for name in list(state)
        if name.removeprefix(prefix).startswith(("shared.", "features.", "attention.", "head."))
    }
    try:
        state |= {prefix + name: value for name, value in packed(old, config).items()}
    except KeyError as error:
        raise RuntimeError(f"the weights lack {error.args[0]}") from error


def packed(old: Mapping[str, Tensor], config: TabNetConfig) -> dict[str, Tensor]:
    """One tensor a kind from one a layer.

    Raises:
        KeyError: A layer is missing.
    """
    transformers, steps = range(config.n_steps + 1), range(config.n_steps)
    layers = range(config.n_shared + config.n_independent)
    hidden = config.n_d + config.n_a
    own = range(config.n_shared == 0, config.n_independent)
    shared = [old[f"shared.{i}.weight"] for i in range(config.n_shared)]
    first = shared[:1] or [old[f"features.{t}.own.0.weight"] for t in transformers]
    inner = [old[f"features.{t}.own.{i}.weight"] for t in transformers for i in own]
    like = old["head.weight"]
    found = {
        "first": torch.stack(first),
        "shared": torch.stack(shared[1:]) if shared[1:] else like.new_empty(0, 2 * hidden, hidden),
        "own": torch.stack(inner) if inner else like.new_empty(0),
        "attend": torch.stack([old[f"attention.{s}.layer.weight"] for s in steps]),
        "head": like,
    }
    found["own"] = found["own"].view(len(transformers), len(own), 2 * hidden, hidden)
    for theirs, ours in _NORM.items():
        norms = [old[f"features.{t}.norms.{i}.{theirs}"] for t in transformers for i in layers]
        found[ours] = torch.stack(norms).view(len(transformers), len(layers), -1)
        found[f"attend_{ours}"] = torch.stack([old[f"attention.{s}.norm.{theirs}"] for s in steps])
    return found
