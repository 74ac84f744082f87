"""A served model as tests use it: tokens, clients inside the cluster, and packages with a wrong weight."""

from __future__ import annotations

import hashlib
import json
import textwrap
import time
import urllib.request
from pathlib import Path
from typing import Any

from safetensors.numpy import load, save

from hack import deploy
from tests.support import mlflow_server
from tests.support.cluster import Manifest, Namespace, status
from trainyard_model import package_digest

TOKEN = "a-token-of-the-tests"
TOKENS = "tokens"
GATE = {"metric": "test_log_loss", "goal": "Minimize", "threshold": 10.0}
ROLLOUT = {"verifySeconds": 3, "deadlineSeconds": 120}
_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
_CLIENT = """
    import collections, json, os, signal, time, urllib.error, urllib.request
    told, seen = [], collections.Counter()
    signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    least, pause = int(os.environ["REQUESTS"]), 1 / float(os.environ["RATE"])
    until = time.monotonic() + 600
    while time.monotonic() < until and (seen.total() < least or not told and "UNTIL_TOLD" in os.environ):
        began = time.monotonic()
        headers = {"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"}
        request = urllib.request.Request(os.environ["URL"], os.environ["BODY"].encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                seen[f"{reply.status} v{reply.headers['x-model-version']}"] += 1
                answer = reply.read().decode()
        except urllib.error.HTTPError as error:
            seen[str(error.code)] += 1
            answer = error.read().decode()
        except OSError as error:
            seen[type(error).__name__ + " " + str(error)[:60]] += 1
        time.sleep(max(0.0, pause - (time.monotonic() - began)))
    print(json.dumps({"seen": seen, "answer": answer}))
"""


def make_tokens(namespace: Namespace) -> None:
    """Create the Secret that servers of the tests take tokens from."""
    namespace.kubectl("create", "secret", "generic", TOKENS, f"--from-literal=tests={TOKEN}")


def model_server(name: str, **spec: Any) -> Manifest:
    """Build a ModelServer that is verified quickly."""
    base: Manifest = {
        "model": name,
        "source": {"promotions": {}},
        "auth": {"tokenSecret": TOKENS},
        "rollout": ROLLOUT,
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}},
    }
    return {
        "apiVersion": "trainyard.dev/v1alpha1",
        "kind": "ModelServer",
        "metadata": {"name": name},
        "spec": {**base, **spec},
    }


def wait_server(namespace: Namespace, name: str, seconds: float = 180.0, **wanted: Any) -> Manifest:
    """Wait until a status has these values; `failed` is the failed target's version."""
    limit = time.monotonic() + seconds
    seen: Manifest = {}
    while time.monotonic() < limit:
        seen = status(namespace.get("ms", name))
        facts = {**seen, "failed": seen.get("failedTarget", {}).get("version")}
        if all(facts.get(key) == value for key, value in wanted.items()):
            return seen
        time.sleep(0.5)
    pods = namespace.kubectl("get", "pods,jobs,events", "-o", "wide", check=False)
    raise AssertionError(
        f"{name} never had {wanted} in {seconds:.0f} s:\n{json.dumps(seen, indent=1)}\n{pods}"
    )


def start_client(
    namespace: Namespace,
    name: str,
    server: str,
    body: str,
    *,
    requests: int,
    rate: float,
    until_told: bool = False,
    token: str = TOKEN,
) -> None:
    """Start a Job that asks a Service at a steady rate: so many times, and on until it is told to stop."""
    env = {
        "URL": f"http://{server}.{namespace.name}.svc/predict",
        "BODY": body,
        "TOKEN": token,
        "REQUESTS": str(requests),
        "RATE": str(rate),
        **({"UNTIL_TOLD": "yes"} if until_told else {}),
    }
    image = deploy.built()["trainer"]
    container = {
        "name": "client",
        "image": f"{image.repository}@{image.digest}",
        "command": ["python", "-c", textwrap.dedent(_CLIENT)],
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "securityContext": _SECURITY,
    }
    pod = {
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }
    namespace.apply(job)


def client_saw(namespace: Namespace, name: str, seconds: float = 120.0) -> Manifest:
    """Wait for a client's end; return how many answers of which kind it got, and the last one."""
    namespace.kubectl("wait", f"job/{name}", "--for=condition=Complete", f"--timeout={seconds:.0f}s")
    found: Manifest = json.loads(namespace.kubectl("logs", f"job/{name}").splitlines()[-1])
    return found


def stop_client(namespace: Namespace, name: str) -> Manifest:
    """Tell a client that runs until it is told; return what it saw."""
    stop = "import os, signal; os.kill(1, signal.SIGTERM)"
    namespace.kubectl("exec", f"job/{name}", "--", "python", "-c", stop)
    return client_saw(namespace, name)


def ask(namespace: Namespace, name: str, server: str, body: str, token: str = TOKEN) -> Manifest:
    """Ask a Service a few times."""
    start_client(namespace, name, server, body, requests=5, rate=5, token=token)
    return client_saw(namespace, name)


def verify_quickly(namespace: Namespace, name: str) -> None:
    """Shorten the verification of a ModelServer that the operator makes from a job's manifest."""
    namespace.kubectl("wait", f"ms/{name}", "--for=create", "--timeout=240s")
    merge(namespace, name, rollout={"verifySeconds": ROLLOUT["verifySeconds"]})


def merge(namespace: Namespace, name: str, **spec: Any) -> None:
    """Change a ModelServer."""
    namespace.kubectl("patch", "ms", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def refused(namespace: Namespace, number: str, seconds: float = 180.0) -> None:
    """Wait until a server pod of a version says that it will not serve."""
    limit = time.monotonic() + seconds
    labels = f"trainyard.dev/version={number},app.kubernetes.io/component=server"
    logs = ""
    while time.monotonic() < limit:
        logs = namespace.kubectl("logs", "-l", labels, "--tail=-1", check=False)
        if "outputs are not reproduced" in logs:
            return
        time.sleep(0.5)
    raise AssertionError(f"version {number} was not refused in {seconds:.0f} s:\n{logs}")


def version(registered: str, number: str) -> Manifest:
    """Read a registered version: its tags by name, and its run."""
    found = mlflow_server.call("model-versions/get", name=registered, version=number)["model_version"]
    return {**found, "tags": {t["key"]: t["value"] for t in found.get("tags", [])}}


def champion(registered: str) -> str:
    """Return the version that the alias names."""
    found = mlflow_server.call("registered-models/alias", name=registered, alias="champion")
    return str(found["model_version"]["version"])


def _artifact(uri: str, name: str) -> str:
    path = uri.removeprefix("mlflow-artifacts:").lstrip("/")
    return f"{deploy.MLFLOW_URL}/api/2.0/mlflow-artifacts/artifacts/{path}/{name}"


def download(uri: str, folder: Path) -> None:
    """Fetch a package from MLflow's proxied artifacts."""
    for name in ("package.json", "model.safetensors"):
        with urllib.request.urlopen(_artifact(uri, name), timeout=30) as reply:
            (folder / name).write_bytes(reply.read())


def tamper(folder: Path) -> str:
    """Change a weight so that every digest still fits, and return the new one; only outputs can tell."""
    weights = load((folder / "model.safetensors").read_bytes())
    name = max(weights, key=lambda key: weights[key].size)
    changed = {**weights, name: weights[name] * 1.5}
    raw = save(changed)
    (folder / "model.safetensors").write_bytes(raw)
    manifest = json.loads((folder / "package.json").read_text())
    manifest["weights"]["sha256"] = hashlib.sha256(raw).hexdigest()
    (folder / "package.json").write_text(json.dumps(manifest))
    return package_digest(folder)


def register(registered: str, original: Manifest, folder: Path, sha256: str) -> str:
    """Upload a package beside the original's and register it as a further version; return its number."""
    uri = original["tags"]["trainyard.artifactURI"] + "-changed"
    for name in ("package.json", "model.safetensors"):
        request = urllib.request.Request(_artifact(uri, name), (folder / name).read_bytes(), method="PUT")
        with urllib.request.urlopen(request, timeout=30):
            pass
    tags = {**original["tags"], "trainyard.artifactURI": uri, "trainyard.sha256": sha256}
    tags["trainyard.uid"] = "made-by-a-test"
    body = {
        "name": registered,
        "source": original["source"],
        "model_id": original["source"].removeprefix("models:/"),
        "run_id": original["run_id"],
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }
    made = mlflow_server.call("model-versions/create", body)["model_version"]
    return str(made["version"])
