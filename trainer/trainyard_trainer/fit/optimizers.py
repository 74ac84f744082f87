"""Optimisers by name, fused where torch offers it: one kernel for all parameters instead of one each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from trainyard_trainer.fit.settings import OptimizerSettings


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
            return (torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam)(
                parameters, **options
            )
        case "sgd":
            options |= {"momentum": settings.momentum or 0.0, "nesterov": settings.nesterov, "fused": True}
            return torch.optim.SGD(parameters, **options)
        case "rmsprop":
            options |= {"momentum": settings.momentum or 0.0}
            options |= {} if settings.rho is None else {"alpha": settings.rho}
            return torch.optim.RMSprop(parameters, **options)
        case "adadelta":
            options |= {} if settings.rho is None else {"rho": settings.rho}
            return torch.optim.Adadelta(parameters, **options)
        case _:
            raise ValueError(f"unknown optimiser {settings.name!r}")
