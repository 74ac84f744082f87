"""The operator as users run it (a process of its own), and a hand that plays kubelet for its pods."""

from __future__ import annotations

import json
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.support.apiserver import MERGE, ApiError, ApiServer
from tests.support.processes import Child, free_port
from trainyard.api.names import LABEL_INDEX

Body = dict[str, Any]
TRAINING_JOBS = "/apis/trainyard.dev/v1alpha1/namespaces/{}/trainingjobs"
T = TypeVar("T")
_ROOTS = {"jobs": "/apis/batch/v1", "networkpolicies": "/apis/networking.k8s.io/v1"}
TRAINER_IMAGE = "registry.example/trainyard/trainer:test"
RESULT = {
    "formatVersion": 1,
    "exitCode": 0,
    "experimentID": "1",
    "runID": "0af1",
    "modelURI": "models:/m-1",
    "modelSHA256": "a" * 64,
    "metrics": {"val_roc_auc": 0.99, "test_roc_auc": 0.98},
    "data": {"dataDigest": "d1", "holdoutDigest": "h1", "rows": 569},
    "epochs": 50,
}
"""A trainer's last word."""


def eventually(look: Callable[[], T], *, within: float = 15.0, every: float = 0.05) -> T:
    """Ask until the answer is true. `within` is for a quiet machine: a busy one gets four times as long."""
    deadline = time.monotonic() + 4 * within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within 4 * {within} s; last answer: {found!r}")
        time.sleep(every)


@dataclass
class OperatorProcess:
    """`python -m trainyard operator` against an API server."""

    child: Child
    http_port: int

    @classmethod
    def start(
        cls, server: ApiServer, namespaces: str, log: Path, env: Mapping[str, str] | None = None
    ) -> OperatorProcess:
        """Start it and wait until it is ready."""
        port = free_port()
        settings = {
            "KUBECONFIG": str(server.kubeconfig),
            "TRAINYARD_WATCH_NAMESPACES": namespaces,
            "TRAINYARD_TRAINER_IMAGE": TRAINER_IMAGE,
            "TRAINYARD_TRACKING_URI": "http://mlflow.example:5000",
            "TRAINYARD_HTTP_PORT": str(port),
            **(env or {}),
        }
        started = cls(
            Child.start("operator", [sys.executable, "-m", "trainyard", "operator"], log=log, env=settings),
            port,
        )
        eventually(started.ready, within=30)
        return started

    def ready(self) -> bool:
        """Whether /readyz says so."""
        self.child.check()
        return self.fetch("/readyz")[0] == 200

    def fetch(self, path: str) -> tuple[int, str]:
        """GET from its HTTP port; 0 when nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def requests(self) -> dict[tuple[str, str, str], float]:
        """Requests to the API server so far, by verb, resource and code."""
        found = {}
        for line in self.fetch("/metrics")[1].splitlines():
            if line.startswith("trainyard_api_requests_total{"):
                labels, _, value = line.partition("{")[2].partition("} ")
                parts = dict(part.split("=") for part in labels.replace('"', "").split(","))
                found[parts["verb"], parts["resource"], parts["code"]] = float(value)
        return found

    def rss_mib(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def kill(self) -> None:
        """Take it away without a word."""
        self.child.stop(sig=signal.SIGKILL)


@contextmanager
def running_operator(
    server: ApiServer, namespaces: str, folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[OperatorProcess]:
    """An operator for the time of a test."""
    process = OperatorProcess.start(server, namespaces, folder / "operator.log", env)
    try:
        yield process
    finally:
        process.child.stop()


@dataclass
class SharedOperator:
    """An operator that outlives a test, and namespaces that it watches and nobody has used yet."""

    process: OperatorProcess
    unused: list[str]


@contextmanager
def shared_operator(
    server: ApiServer, prefix: str, count: int, folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[SharedOperator]:
    """An operator for so many tests that neither stop nor measure it."""
    names = [server.create_namespace(f"{prefix}-{number}") for number in range(count)]
    with running_operator(server, ",".join(names), folder, env) as process:
        yield SharedOperator(process, names)


class Bench:
    """TrainingJobs of one namespace, and kubelet's part in them."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self.server = server
        self.namespace = namespace

    def apply(self, name: str, **spec: Any) -> Body:
        """Create a TrainingJob."""
        body = {
            "apiVersion": "trainyard.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {"name": name},
            "spec": {
                "model": {"tabnet": {}},
                "data": {"source": {"uri": "sample://breast_cancer"}, "target": "target"},
                **spec,
            },
        }
        return self.server.request("POST", TRAINING_JOBS.format(self.namespace), body)

    def patch(self, name: str, body: Body) -> Body:
        """Merge-patch a TrainingJob."""
        path = f"{TRAINING_JOBS.format(self.namespace)}/{name}"
        return self.server.request("PATCH", path, body, content_type=MERGE)

    def get(self, name: str) -> Body:
        """Read a TrainingJob."""
        return self.server.request("GET", f"{TRAINING_JOBS.format(self.namespace)}/{name}")

    def status(self, name: str) -> Body:
        """Its status."""
        found: Body = self.get(name).get("status", {})
        return found

    def until(self, name: str, state: str, reason: str = "", *, within: float = 15.0) -> Body:
        """Wait for a state."""

        def look() -> Body | None:
            self.last = self.status(name)
            fits = self.last.get("state") == state and reason in ("", self.last.get("reason"))
            return self.last if fits else None

        try:
            return eventually(look, within=within) or {}
        except AssertionError:
            raise AssertionError(f"{name} is not {state}/{reason} within {within} s: {self.last}") from None

    def items(self, resource: str) -> list[Body]:
        """All objects of a kind in the namespace."""
        root = _ROOTS.get(resource, "/api/v1")
        found: list[Body] = self.server.request("GET", f"{root}/namespaces/{self.namespace}/{resource}")[
            "items"
        ]
        return found

    def names(self, resource: str) -> list[str]:
        """Names of all objects of a kind that the operator made."""
        return sorted(o["metadata"]["name"] for o in self.items(resource) if o["metadata"].get("labels"))

    def pod(self, job: str, index: int = 0) -> Body | None:
        """A pod of a Job; of a group, the one with the index."""
        for pod in self.items("pods"):
            labels = pod["metadata"]["labels"]
            if labels.get("job-name") == job and labels.get(LABEL_INDEX, "0") == str(index):
                return pod
        return None

    def pod_is_placed(self, job: str, index: int, node: str) -> None:
        """Play scheduler: a pod of a Job gets a node; from then on only a kubelet can end it."""
        name = (eventually(lambda: self.pod(job, index)) or {})["metadata"]["name"]
        body = {"metadata": {"name": name}, "target": {"kind": "Node", "name": node}}
        self.server.request("POST", f"/api/v1/namespaces/{self.namespace}/pods/{name}/binding", body)

    def pod_runs(self, job: str, index: int = 0) -> Body:
        """Play kubelet: a pod of a Job starts."""
        pod = eventually(lambda: self.pod(job, index)) or {}
        state = {"running": {"startedAt": _now()}}
        return self._pod_status(pod, {"phase": "Running", "startTime": _now()}, state)

    def pod_ends(self, job: str, code: int, word: str | Body = "", reason: str = "", index: int = 0) -> Body:
        """Play kubelet: the container of a Job's pod ends with a code and a last word."""
        pod = eventually(lambda: self.pod(job, index)) or {}
        message = word if isinstance(word, str) else json.dumps(word)
        ended = {
            "exitCode": code,
            "message": message,
            "reason": reason or ("Completed" if code == 0 else "Error"),
        }
        state = {"terminated": {**ended, "startedAt": _now(), "finishedAt": _now()}}
        return self._pod_status(pod, {"phase": "Succeeded" if code == 0 else "Failed"}, state)

    def _pod_status(self, pod: Body, status: Body, state: Body) -> Body:
        container = {
            "name": "trainer",
            "image": TRAINER_IMAGE,
            "imageID": "sha256:0",
            "ready": "running" in state,
            "restartCount": 0,
            "state": state,
        }
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}/status"
        body = {"status": {**status, "containerStatuses": [container]}}
        return self.server.request("PATCH", path, body, content_type=MERGE)

    def gone(self, name: str) -> bool:
        """Whether a TrainingJob is gone."""
        try:
            self.get(name)
        except ApiError as error:
            return error.status == 404
        return False


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
