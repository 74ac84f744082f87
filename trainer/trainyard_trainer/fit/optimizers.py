"""Optimisers by name, fused where torch offers it: one kernel for all parameters instead of one each.

They are torch's own less the decorators that speak to torch.compile: those import the compiler the first time
that an optimiser is made, which takes as long as everything else before the first step together. We compile
the loss and its gradients only, never the optimiser.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from trainyard_trainer.fit.settings import OptimizerSettings

_DECORATED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def make_optimizer(parameters: Iterable[nn.Parameter], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """The optimiser; settings that are None keep torch's default."""
    options: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.epsilon is not None and settings.name != "sgd":
        options["eps"] = settings.epsilon
    match settings.name:
        case "adam" | "adamw":
            beta1 = 0.9 if settings.beta1 is None else settings.beta1
            beta2 = 0.999 if settings.beta2 is None else settings.beta2
            options |= {"betas": (beta1, beta2), "fused": True}
            kind: type[torch.optim.Optimizer] = (
                torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
            )
        case "sgd":
            options |= {"momentum": settings.momentum or 0.0, "nesterov": settings.nesterov, "fused": True}
            kind = torch.optim.SGD
        case "rmsprop":
            options |= {"momentum": settings.momentum or 0.0}
            options |= {} if settings.rho is None else {"alpha": settings.rho}
            kind = torch.optim.RMSprop
        case "adadelta":
            options |= {} if settings.rho is None else {"rho": settings.rho}
            kind = torch.optim.Adadelta
        case _:
            raise ValueError(f"unknown optimiser {settings.name!r}")
    made: torch.optim.Optimizer = undecorated(kind)(parameters, **options)
    return made


def undecorated(kind: type[torch.optim.Optimizer]) -> Any:
    """The same optimiser without the decorators; that of `step` also switches gradients off."""
    methods = {name: inspect.unwrap(getattr(torch.optim.Optimizer, name)) for name in _DECORATED}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {**methods, "step": step})
