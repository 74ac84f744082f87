"""What `kubectl get` shows of each kind; priority 1 only with -o wide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from trainyard.api.names import MODELSERVER, STUDY, TRAININGJOB, Kind


@dataclass(frozen=True, slots=True)
class Column:
    """One printer column."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False
    description: str = ""

    def to_kubernetes(self) -> dict[str, Any]:
        """The entry as the CRD carries it."""
        entry: dict[str, Any] = {"name": self.name, "type": self.type, "jsonPath": self.path}
        if self.description:
            entry["description"] = self.description
        if self.wide:
            entry["priority"] = 1
        return entry


_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_REASON = Column("Reason", ".status.reason", wide=True)
_PROMOTION = Column("Promotion", ".status.promotion.state", wide=True)
_RUN = Column("Run", ".status.mlflow.runID", wide=True, description="MLflow run")

COLUMNS: Final[dict[Kind, tuple[Column, ...]]] = {
    TRAININGJOB: (
        Column("State", ".status.state"),
        Column("Progress", ".status.progress.summary", description="Epochs done of epochs planned"),
        Column(
            "Metric", ".status.progress.metric", description="Last value of the metric that chooses the epoch"
        ),
        Column("ETA", ".status.progress.eta", description="Estimated time to the end"),
        Column("Restarts", ".status.restarts", "integer"),
        _AGE,
        _REASON,
        Column("Attempt", ".status.attempt", "integer", wide=True),
        _RUN,
        _PROMOTION,
    ),
    STUDY: (
        Column("State", ".status.state"),
        Column("Trials", ".status.trials.summary", description="Trials done of the budget"),
        Column("Running", ".status.trials.running", "integer"),
        Column("Pruned", ".status.trials.pruned", "integer"),
        Column("Failed", ".status.trials.failed", "integer"),
        Column("Best", ".status.trials.bestValue", description="Best value so far"),
        _AGE,
        _REASON,
        _RUN,
        _PROMOTION,
    ),
    MODELSERVER: (
        Column("State", ".status.state"),
        Column("Version", ".status.servingVersion", description="Version that answers"),
        Column("Target", ".status.targetVersion", description="Version that should answer"),
        Column("Ready", ".status.readyReplicas", "integer"),
        Column("Replicas", ".status.replicas", "integer"),
        _AGE,
        Column("Model", ".spec.model", wide=True),
        _REASON,
        Column("URL", ".status.url", wide=True),
    ),
}

SCALE: Final[dict[Kind, dict[str, str]]] = {
    MODELSERVER: {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    },
}
"""Kinds that `kubectl scale` works on."""
