"""Which epoch is the best so far, and when it is no use to go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainyard_trainer.errors import InvalidSpec, closest


@dataclass(slots=True)
class Selection:
    """Validation chooses the epoch; equal values are told apart by the validation loss.

    Small validation sets reach an AUC of 1.0 early and often, and the first such epoch is rarely the best
    one.
    """

    metric: str
    maximize: bool
    stop_metric: str
    stop_maximize: bool
    patience: int | None = None
    min_delta: float = 0.0
    best_epoch: int = 0
    best_metrics: dict[str, float] | None = None
    weights: dict[str, Tensor] | None = None
    stop_best: float | None = None
    waited: int = 0
    finished: bool = False

    @property
    def exhausted(self) -> bool:
        """Whether patience is over, or somebody has had enough."""
        return self.finished or (self.patience is not None and self.waited >= self.patience)

    def finish(self) -> None:
        """No epoch after this one."""
        self.finished = True

    def consider(self, epoch: int, metrics: Mapping[str, float], network: nn.Module) -> bool:
        """Take an epoch into account; True when it is the best so far.

        Raises:
            InvalidSpec: A metric that is to decide does not exist.
        """
        self._count(metrics)
        if "val_loss" in metrics and not self._better(metrics):
            return False
        self.best_epoch, self.best_metrics = epoch, dict(metrics)
        with torch.no_grad():
            if self.weights is None:
                self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}
            else:
                for name, value in network.state_dict().items():
                    self.weights[name].copy_(value)
        return True

    def _better(self, metrics: Mapping[str, float]) -> bool:
        value = _value(self.metric, "training.metric", metrics)
        if self.best_metrics is None:
            return True
        best = self.best_metrics[self.metric]
        if value == best:
            return metrics["val_loss"] < self.best_metrics["val_loss"]
        return (value > best) == self.maximize

    def _count(self, metrics: Mapping[str, float]) -> None:
        if self.patience is None:
            return
        value = _value(self.stop_metric, "training.earlyStopping.metric", metrics)
        gain = 0.0 if self.stop_best is None else value - self.stop_best
        if self.stop_best is None or (gain if self.stop_maximize else -gain) > self.min_delta:
            self.stop_best, self.waited = value, 0
        else:
            self.waited += 1

    def restore(self, network: nn.Module) -> None:
        """Give the network the best epoch's weights."""
        if self.weights is not None:
            network.load_state_dict(self.weights)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "best_epoch": self.best_epoch,
            "best_metrics": self.best_metrics,
            "weights": self.weights,
            "stop_best": self.stop_best,
            "waited": self.waited,
            "finished": self.finished,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self.best_epoch, self.best_metrics = state["best_epoch"], state["best_metrics"]
        self.weights, self.stop_best, self.waited = state["weights"], state["stop_best"], state["waited"]
        self.finished = state["finished"]


def _value(metric: str, field: str, metrics: Mapping[str, float]) -> float:
    if metric not in metrics:
        raise InvalidSpec(
            f"{field}: '{metric}' is not measured for this target; {closest(metric, sorted(metrics))}",
            f"correct {field}",
        )
    return metrics[metric]
