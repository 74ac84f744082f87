"""What tests ask the cluster's MLflow, over its REST API (no client: what a stranger would see)."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from typing import Any

from hack import deploy


def call(path: str, body: dict[str, Any] | None = None, **query: str) -> dict[str, Any]:
    """Call the MLflow REST API: POST when there is a body."""
    url = f"{deploy.MLFLOW_URL}/api/2.0/mlflow/{path}"
    if query:
        url += "?" + urllib.parse.urlencode(query)
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return dict(json.load(reply))


def run(run_id: str) -> dict[str, Any]:
    """Return a run: info, data, inputs."""
    return dict(call("runs/get", run_id=run_id)["run"])


def tags(found: dict[str, Any]) -> dict[str, str]:
    """Return the tags of a run."""
    return {t["key"]: t["value"] for t in found["data"].get("tags", [])}


def history(run_id: str, metric: str) -> list[tuple[int, float]]:
    """Return (step, value) of a metric in the order of logging."""
    found = call("metrics/get-history", run_id=run_id, metric_key=metric, max_results="5000")
    return [(int(m["step"]), float(m["value"])) for m in found.get("metrics", [])]


def runs_of(uid: str) -> list[dict[str, Any]]:
    """Return the runs that carry the tag of a TrainingJob's uid, in any experiment."""
    experiments = call("experiments/search", {"max_results": 1000}).get("experiments", [])
    ids = [e["experiment_id"] for e in experiments]
    body = {"experiment_ids": ids, "filter": f"tags.`trainyard.uid` = '{uid}'", "max_results": 100}
    return list(call("runs/search", body).get("runs", []))


def registered() -> list[str]:
    """Return the names of all registered models."""
    found = call("registered-models/search", max_results="1000")
    return [m["name"] for m in found.get("registered_models", [])]
