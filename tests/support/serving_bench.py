"""ModelServers of one namespace, and kubelet's part in them: pods that get ready, verify Jobs that end."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.support.apiserver import MERGE, ApiError, ApiServer
from tests.support.operator_process import Bench, Body, eventually
from tests.support.tracking import TrackingServer

MODEL_SERVERS = "/apis/trainyard.dev/v1alpha1/namespaces/{}/modelservers"
MODEL = "income"


class ServingBench(Bench):
    """TrainingJobs that end with a model in a real MLflow, and what serves it."""

    def __init__(
        self, server: ApiServer, namespace: str, tracking: TrackingServer, logged: tuple[str, str]
    ) -> None:
        super().__init__(server, namespace)
        self.tracking = tracking
        self.logged = logged

    def train(self, name: str, value: float, *, digest: str = "1" * 64, **promotion: Any) -> None:
        """A TrainingJob that ends with a logged model and a value of the gate's metric."""
        wish = {
            "model": MODEL,
            "mode": "Automatic",
            "gate": {"metric": "test_roc_auc", "goal": "Maximize", "threshold": 0.8},
            "serving": {"replicas": 1, "auth": {"tokenSecret": "tokens"}},
        }
        self.apply(name, promotion={**wish, **promotion})
        result = {
            "formatVersion": 1,
            "exitCode": 0,
            "experimentID": "0",
            "runID": self.logged[1],
            "modelURI": self.logged[0],
            "modelSHA256": digest,
            "metrics": {"test_roc_auc": value},
            "data": {"dataDigest": "d1", "holdoutDigest": "h1", "rows": 569},
        }
        self.pod_ends(f"{name}-tj-a1", 0, result)
        self.until(name, "Succeeded")

    def promoted(self, name: str, state: str, *, within: float = 25.0) -> Body:
        """Wait for a state of a promotion."""
        seen: Body = {}

        def look() -> Body | None:
            nonlocal seen
            seen = self.status(name).get("promotion", {})
            return seen if seen.get("state") == state else None

        try:
            return eventually(look, within=within) or {}
        except AssertionError:
            raise AssertionError(
                f"the promotion of {name} is not {state}: {seen}; {self.server_status()}"
            ) from None

    def server_body(self) -> Body:
        """The ModelServer; nothing when there is none."""
        return self._get(f"{MODEL_SERVERS.format(self.namespace)}/{MODEL}")

    def server_status(self) -> Body:
        """Its status."""
        found: Body = self.server_body().get("status", {})
        return found

    def serving(self, version: str, state: str = "Serving", *, within: float = 25.0) -> Body:
        """Wait until a version serves."""
        seen: Body = {}

        def look() -> Body | None:
            nonlocal seen
            seen = self.server_status()
            fits = seen.get("servingVersion") == version and seen.get("state") == state
            return seen if fits else None

        try:
            return eventually(look, within=within) or {}
        except AssertionError:
            raise AssertionError(f"version {version} is not {state}: {seen}") from None

    def source(self, **source: Any) -> None:
        """Change who decides the version."""
        wish = {"version": None, "promotions": None, "follow": None, **source}
        path = f"{MODEL_SERVERS.format(self.namespace)}/{MODEL}"
        self.server.request("PATCH", path, {"spec": {"source": wish}}, content_type=MERGE)

    def deployment(self) -> Body:
        """The Deployment; nothing when there is none."""
        return self._get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{MODEL}-ms")

    def runs(self, version: str) -> Body:
        """Play kubelet: the pods of a version get ready, and with them the Deployment."""

        def look() -> Body | None:
            for pod in self._pods(version):
                if pod.get("status", {}).get("phase") != "Running":
                    ready = {"type": "Ready", "status": "True", "lastTransitionTime": _now()}
                    self._patch_pod(pod, {"phase": "Running", "conditions": [ready]})
            found = self.deployment()
            spec, status = found.get("spec", {}), found.get("status", {})
            labels = spec.get("template", {}).get("metadata", {}).get("labels", {})
            counts = {status.get(f"{kind}Replicas", 0) for kind in ("updated", "available")}
            seen = status.get("observedGeneration") == found.get("metadata", {}).get("generation")
            fits = labels.get("trainyard.dev/version") == version and counts == {spec.get("replicas")}
            return found if seen and fits else None

        return eventually(look, within=25) or {}

    def crashes(self, version: str, message: str) -> None:
        """Play kubelet: a version's init container ends badly."""
        pod = eventually(lambda: next(iter(self._pods(version)), None), within=25) or {}
        ended = {"terminated": {"exitCode": 65, "reason": "Error", "message": message}}
        state = {
            "name": "fetch",
            "image": "x",
            "imageID": "x",
            "ready": False,
            "restartCount": 1,
            "state": ended,
        }
        self._patch_pod(pod, {"phase": "Pending", "initContainerStatuses": [state]})

    def verified(self, version: str, *, ok: bool = True, message: str = "100 requests, 0 failed") -> Body:
        """Play kubelet: the verify Job of a version ends."""

        def look() -> Body | None:
            pods = self._pods(version, "verify")
            return next((p for p in pods if p.get("status", {}).get("phase") in (None, "Pending")), None)

        pod = eventually(look, within=25) or {}
        word = json.dumps({"ok": ok, "requests": 100, "errors": 0, "message": message})
        ended = {"exitCode": 0 if ok else 1, "message": word, "startedAt": _now(), "finishedAt": _now()}
        state = {
            "name": "verify",
            "image": "x",
            "imageID": "x",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": ended},
        }
        return self._patch_pod(pod, {"phase": "Succeeded" if ok else "Failed", "containerStatuses": [state]})

    def champion(self) -> str:
        """The version that MLflow's alias names."""
        found = self.tracking.client().get_registered_model(f"{self.namespace}.{MODEL}")
        return str(found.aliases.get("champion", ""))

    def versions(self) -> list[str]:
        """All registered versions."""
        found = self.tracking.client().search_model_versions(f"name='{self.namespace}.{MODEL}'")
        return sorted(str(v.version) for v in found)

    def _pods(self, version: str, component: str = "server") -> list[Body]:
        wanted = {
            "trainyard.dev/modelserver": MODEL,
            "trainyard.dev/version": version,
            "app.kubernetes.io/component": component,
        }
        return [
            p
            for p in self.items("pods")
            if wanted.items() <= p["metadata"].get("labels", {}).items()
            and not p["metadata"].get("deletionTimestamp")
        ]

    def _patch_pod(self, pod: Body, status: Body) -> Body:
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}/status"
        return self.server.request("PATCH", path, {"status": status}, content_type=MERGE)

    def _get(self, path: str) -> Body:
        try:
            return self.server.request("GET", path)
        except ApiError as error:
            if error.status == 404:
                return {}
            raise


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
