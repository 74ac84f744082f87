"""A coordinator as a process of its own, with the rights that the chart ships, and pods that speak to it."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from hack import tools
from tests.support.apiserver import APPLY, ISSUER, ApiServer, Body
from tests.support.processes import Child, free_port

CHART = Path(__file__).resolve().parents[2] / "charts" / "trainyard"
SYSTEM = "trainyard-system"
BUNDLE = "trainyard-coordinator-ca"
AUDIENCE = "trainyard-coordinator"
JOBS = "/apis/trainyard.dev/v1alpha1/namespaces/{}/trainingjobs"
PATHS = {
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


def install_rights(server: ApiServer, *values: str, release: str = "trainyard") -> str:
    """Apply the chart's accounts, roles and the empty bundle; return a token of the coordinator's account."""
    tools.ensure(["helm"])
    sets = [word for value in ("crds.enabled=false", *values) for word in ("--set", value)]
    done = subprocess.run(
        [tools.path("helm"), "template", release, CHART, "-n", SYSTEM, *sets],
        capture_output=True,
        text=True,
        check=True,
    )
    server.kubectl("create", "namespace", SYSTEM, check=False)
    for body in yaml.safe_load_all(done.stdout):
        if body and body["kind"] in PATHS:
            meta = body["metadata"]
            path = f"{PATHS[body['kind']].format(meta.get('namespace'))}/{meta['name']}"
            server.request("PATCH", path, body, content_type=APPLY, fieldManager="helm", force="true")
    return token(server, SYSTEM, f"{release}-coordinator", audience=ISSUER)


def narrow_kubeconfig(server: ApiServer, namespace: str, release: str, folder: Path) -> Path:
    """A kubeconfig with the rights of an operator that the chart installs for one namespace."""
    install_rights(server, f"watchNamespaces={{{namespace}}}", f"fullnameOverride={release}", release=release)
    path = folder / "kubeconfig"
    bearer = token(server, SYSTEM, f"{release}-operator", audience=ISSUER)
    path.write_text(server.kubeconfig_for(bearer))
    return path


def token(
    server: ApiServer,
    namespace: str,
    account: str = "default",
    *,
    audience: str = AUDIENCE,
    pod: Body | None = None,
) -> str:
    """A token of the TokenRequest API, bound to a pod where one is given: what the kubelet projects."""
    spec: Body = {"audiences": [audience], "expirationSeconds": 3600}
    if pod:
        meta = pod["metadata"]
        spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    made = server.request("POST", path, {"spec": spec})
    return str(made["status"]["token"])


@dataclass
class Coordinator:
    """The process, and how to speak to it."""

    server: ApiServer
    folder: Path
    env: dict[str, str]
    child: Child
    port: int
    http_port: int
    configmap: str

    @classmethod
    def start(
        cls, server: ApiServer, folder: Path, api_token: str, *, namespaces: str = "", configmap: str = BUNDLE
    ) -> Coordinator:
        """Start one that keeps its files in `folder`, and wait until it is ready."""
        port, http_port = free_port(), free_port()
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(server.kubeconfig_for(api_token))
        env = {
            "KUBECONFIG": str(kubeconfig),
            "TRAINYARD_WATCH_NAMESPACES": namespaces,
            "TRAINYARD_COORDINATOR_PORT": str(port),
            "TRAINYARD_HTTP_PORT": str(http_port),
            "TRAINYARD_STORAGE_DIR": str(folder / "storage"),
            "TRAINYARD_COORDINATOR_SANS": "localhost,127.0.0.1",
            "TRAINYARD_COORDINATOR_CA": f"{SYSTEM}/{configmap}",
        }
        argv = [sys.executable, "-m", "trainyard", "coordinator"]
        child = Child.start("coordinator", argv, log=folder / "coordinator.log", env=env)
        self = cls(server, folder, env, child, port, http_port, configmap)
        self.wait_ready()
        self.fetch_bundle()
        return self

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until /readyz says yes."""
        deadline = time.monotonic() + seconds
        seen = "nothing"
        while time.monotonic() < deadline:
            self.child.check()
            try:
                answer = requests.get(f"http://127.0.0.1:{self.http_port}/readyz", timeout=5)
                if answer.ok:
                    return
                seen = answer.text
            except requests.ConnectionError:
                seen = "no connection"
            time.sleep(0.1)
        raise TimeoutError(f"coordinator not ready after {seconds:.0f} s: {seen}\n{self.child.tail(40)}")

    @property
    def bundle(self) -> Path:
        """The CA as it was published, in a file as a trainer mounts it."""
        return self.folder / "published.crt"

    def fetch_bundle(self) -> None:
        """Read the published CA; coordinators of other tests publish theirs at the same place later."""
        body = self.server.request("GET", f"/api/v1/namespaces/{SYSTEM}/configmaps/{self.configmap}")
        self.bundle.write_text(body["data"]["ca.crt"])

    def post(
        self, bearer: str | None, body: Any = None, *, raw: bytes | None = None, path: str = "/v1/progress"
    ) -> requests.Response:
        """Report progress, trusting nothing but the published CA."""
        return requests.post(
            f"https://localhost:{self.port}{path}",
            json=body if raw is None else None,
            data=raw,
            headers={"Authorization": f"Bearer {bearer}"} if bearer is not None else {},
            verify=str(self.bundle),
            timeout=20,
        )

    def metric(self, line: str) -> float:
        """One sample of /metrics by its name and labels."""
        text = requests.get(f"http://127.0.0.1:{self.http_port}/metrics", timeout=5).text
        found = [row.rpartition(" ")[2] for row in text.splitlines() if row.startswith(line + " ")]
        return float(found[0]) if found else 0.0


def report(epoch: int = 1, *, attempt: int = 1, epochs: int = 50, **metrics: float) -> Body:
    """A body as a trainer sends it."""
    return {
        "attempt": attempt,
        "epoch": epoch,
        "epochs": epochs,
        "percent": 100 * epoch // epochs,
        "etaSeconds": float(epochs - epoch),
        "metrics": metrics or {"train_loss": 1 / epoch, "val_roc_auc": 0.9},
        "experimentID": "1",
        "runID": "run",
    }


@dataclass
class Trained:
    """A TrainingJob with the Job and the pod of one attempt, made as the operator and Kubernetes would."""

    server: ApiServer
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """URL path of the TrainingJob."""
        return f"{JOBS.format(self.namespace)}/{self.name}"

    @classmethod
    def make(cls, server: ApiServer, namespace: str, name: str) -> Trained:
        """Create the TrainingJob."""
        self = cls(server, namespace, name)
        server.request(
            "POST",
            JOBS.format(namespace),
            {
                "apiVersion": "trainyard.dev/v1alpha1",
                "kind": "TrainingJob",
                "metadata": {"name": name},
                "spec": {"model": {"tabnet": {}}, "data": {"source": {"uri": "sample://breast-cancer"}}},
            },
        )
        self.set_status(state="Running", attempt=1)
        return self

    def read(self) -> Body:
        """The object as it is now."""
        return self.server.request("GET", self.path)

    def progress(self) -> Body:
        """`status.progress`, empty while there is none."""
        found: Body = self.read()["status"].get("progress", {})
        return found

    def set_status(self, **fields: Any) -> None:
        """Write the operator's part of the status, as the operator."""
        body = {"apiVersion": "trainyard.dev/v1alpha1", "kind": "TrainingJob", "status": fields}
        body["metadata"] = {"name": self.name}
        self.server.request(
            "PATCH",
            f"{self.path}/status",
            body,
            content_type=APPLY,
            fieldManager="trainyard-operator",
            force="true",
        )

    def pod(self, attempt: int = 1, *, labelled: bool = True) -> Body:
        """Create the Job and the pod of an attempt; return the pod."""
        child = f"{self.name}-tj-a{attempt}"
        labels = {"trainyard.dev/trainingjob": self.name, "trainyard.dev/attempt": str(attempt)}
        if labelled:
            labels["app.kubernetes.io/managed-by"] = "trainyard"
        template: Body = {
            "metadata": {"labels": labels},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "trainer", "image": "none"}]},
        }
        job = self.server.request(
            "POST",
            f"/apis/batch/v1/namespaces/{self.namespace}/jobs",
            {
                "metadata": {"name": child, "labels": labels, "ownerReferences": [owner(self.read())]},
                # Suspended, so that a controller manager that may run beside us makes no pod of its own.
                "spec": {"suspend": True, "template": template},
            },
        )
        return make_pod(self.server, self.namespace, f"{child}-x7k2p", labels, job)


def owner(body: Body) -> Body:
    """The ownerReference that a controller leaves."""
    meta = body["metadata"]
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }


def make_pod(
    server: ApiServer, namespace: str, name: str, labels: dict[str, str], job: Body | None = None
) -> Body:
    """Create a pod that never runs: the kubelet is not needed for its token."""
    meta: Body = {"name": name, "labels": labels, "ownerReferences": [owner(job)] if job else []}
    spec = {"containers": [{"name": "trainer", "image": "none"}]}
    return server.request("POST", f"/api/v1/namespaces/{namespace}/pods", {"metadata": meta, "spec": spec})
