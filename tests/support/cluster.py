"""The kind cluster as tests use it: namespaces of their own, kubectl, and waiting with a reason."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from hack import cluster, deploy

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Namespace:
    """A namespace that enforces the restricted profile; the test that made it removes it."""

    name: str

    def kubectl(self, *words: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl here; return what it prints."""
        done = subprocess.run(
            cluster.kubectl("-n", self.name, *words), input=stdin, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout + done.stderr if not check else done.stdout

    def apply(self, *manifests: Manifest) -> None:
        """Apply manifests, refusing fields the API server does not know."""
        self.kubectl("apply", "--validate=strict", "-f", "-", stdin=yaml.safe_dump_all(manifests))

    def get(self, kind: str, name: str) -> Manifest:
        """Read one object; empty when it is not there."""
        text = self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text else {}

    def items(self, kind: str, selector: str = "") -> list[Manifest]:
        """List objects."""
        found = json.loads(self.kubectl("get", kind, "-o", "json", *(["-l", selector] if selector else [])))
        return list(found["items"])

    def wait(self, name: str, done: Callable[[Manifest], Any], what: str, seconds: float = 120.0) -> Manifest:
        """Read a TrainingJob until `done` holds; when it never does, show what there is."""
        limit = time.monotonic() + seconds
        job: Manifest = {}
        while time.monotonic() < limit:
            job = self.get("tj", name)
            if job and done(job):
                return job
            time.sleep(0.3)
        seen = yaml.safe_dump(job.get("status", {}))
        pods = self.kubectl("get", "pods,events", "-o", "wide", check=False)
        raise AssertionError(f"{name} was not {what} in {seconds:.0f} s; status:\n{seen}\n{pods}")

    def remove(self) -> None:
        """Delete it, and do not wait for that."""
        self.kubectl("delete", "namespace", self.name, "--wait=false")

    def finished(self, name: str, seconds: float = 240.0) -> Manifest:
        """Wait for a final state; return the status."""
        job = self.wait(name, lambda j: status(j).get("state") in ("Succeeded", "Failed"), "final", seconds)
        return status(job)


def status(job: Manifest) -> Manifest:
    """Return the status, empty before the operator wrote one."""
    found: Manifest = job.get("status", {})
    return found


def condition(state: Manifest, kind: str) -> Manifest:
    """Return one condition of a status, empty when it is not there."""
    return next((c for c in state.get("conditions", []) if c["type"] == kind), {})


_PREFIX = "it-"


def remove_leftovers() -> None:
    """Remove what a run that was killed left behind: its model servers would keep the node's CPUs."""
    names = (cluster.ask("get", "namespaces", "-o", "name") or "").split()
    if left := [name for name in names if name.startswith(f"namespace/{_PREFIX}")]:
        subprocess.run(cluster.kubectl("delete", *left, "--timeout=180s"), capture_output=True, check=True)


def make_namespace() -> Namespace:
    """Create a namespace with a name of its own."""
    name = f"{_PREFIX}{secrets.token_hex(4)}"
    deploy.ensure_namespace(name)
    return Namespace(name)


def training_job(name: str, **changes: Any) -> Manifest:
    """Build a small TrainingJob; each change replaces a part of the spec."""
    spec: Manifest = {
        "model": {"tabnet": {"nD": 8, "nA": 8, "nSteps": 3}},
        "data": {"source": {"uri": "sample://breast_cancer"}, "split": {"seed": 7}},
        "training": {"epochs": 5, "batchSize": 256, "optimizer": {"name": "adam", "learningRate": 0.02}},
        "compute": {"resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "2Gi"}}},
    }
    return {
        "apiVersion": "trainyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name},
        "spec": {**spec, **changes},
    }


def mounted_csv(name: str, text: str, **data: Any) -> tuple[Manifest, Manifest]:
    """Build a job that reads a CSV from a ConfigMap, and that ConfigMap."""
    files = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"rows.csv": text},
    }
    job = training_job(name, data={"source": {"uri": "file:///data/rows.csv"}, **data})
    job["spec"]["compute"]["podTemplate"] = {
        "volumes": [{"name": "data", "configMap": {"name": name}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
    }
    return files, job
