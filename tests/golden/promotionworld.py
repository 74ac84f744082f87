"""The small world of a TrainingJob whose training is over, and whose result is on its way into serving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from tests.golden.world import Body, World, merged

DONE: Body = {
    "job": {
        "spec": {
            "promotion": {
                "model": "income",
                "mode": "Automatic",
                "gate": {"metric": "test_roc_auc", "goal": "Maximize", "threshold": 0.9},
                "serving": {"auth": {"tokenSecret": "adult-tokens"}},
            }
        },
        "status": {
            "observedGeneration": 1,
            "state": "Succeeded",
            "reason": "Completed",
            "message": "The training is done.",
            "attempt": 1,
            "restarts": 0,
            "conditions": [
                {
                    "type": "Succeeded",
                    "status": "True",
                    "reason": "Completed",
                    "message": "The training is done.",
                    "observedGeneration": 1,
                    "lastTransitionTime": "2026-11-21T12:00:30Z",
                }
            ],
            "mlflow": {
                "experimentID": "1",
                "runID": "r1",
                "modelURI": "models:/m-1",
                "modelSHA256": "a" * 64,
            },
            "metrics": {"test_roc_auc": 0.95, "test_brier": 0.1},
            "data": {"dataDigest": "d", "holdoutDigest": "h", "rows": 569},
            "completionTime": "2026-11-21T12:00:30Z",
        },
    }
}
"""A job that has succeeded; a case says what differs."""


class PromotionWorld(World):
    """A World that a case says only the difference of."""

    @classmethod
    def load(cls, case: Mapping[str, Any]) -> Self:
        """Read a case; `drop` names parts of the status that are not there."""
        body = merged(DONE, case)
        for name in case.get("drop", ()):
            del body["job"]["status"][name]
        return super().load(body)
