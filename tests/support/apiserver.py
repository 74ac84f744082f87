"""A real kube-apiserver on loopback: etcd, the API server and, when wanted, the controller manager.

What a fake cannot show is what these tests are for: schemas, CEL, pruning, server-side apply, garbage
collection. The programs come from the project's own tool cache, where `python3 -m hack tools` compiles them.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hack import tools
from tests.support.processes import Child, free_port
from trainyard.coordinator import tls

ISSUER = "https://kubernetes.default.svc.cluster.local"
READY_S = 90.0
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

Body = dict[str, Any]


class ApiError(Exception):
    """The API server said no; `status` and `message` are its words."""

    def __init__(self, status: int, body: Body) -> None:
        super().__init__(f"{status}: {body.get('message', body)}")
        self.status = status
        self.message = str(body.get("message", ""))
        self.body = body


@dataclass
class ApiServer:
    """One API server with an etcd of its own; empty at the start, gone at the end."""

    folder: Path
    port: int = field(default_factory=free_port)
    extra_args: tuple[str, ...] = ()
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    _children: dict[str, Child] = field(default_factory=dict)
    _etcd_port: int = field(default_factory=free_port)
    _connection: http.client.HTTPSConnection | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """Who signed its certificate."""
        return self.folder / "ca.crt"

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig with all rights."""
        return self.folder / "kubeconfig"

    # -- life --

    @classmethod
    def start(cls, *, extra_args: tuple[str, ...] = ()) -> ApiServer:
        """Start etcd and the API server, and wait until it is ready."""
        tools.ensure(tools.CONTRACT)
        server = cls(Path(tempfile.mkdtemp(prefix="trainyard-apiserver-")), extra_args=extra_args)
        try:
            tls.ensure(server.folder, ("localhost", "127.0.0.1"))
            _write_service_account_key(server.folder)
            (server.folder / "tokens.csv").write_text(f'{server.token},admin,admin,"system:masters"\n')
            server.kubeconfig.write_text(server.kubeconfig_for(server.token))
            server._start_etcd()
            server.start_apiserver()
        except BaseException:
            server.stop()
            raise
        return server

    def _start_etcd(self) -> None:
        peer = free_port()
        self._run(
            "etcd",
            "--data-dir",
            self.folder / "etcd",
            "--unsafe-no-fsync",
            "--log-level=warn",
            f"--listen-client-urls=http://127.0.0.1:{self._etcd_port}",
            f"--advertise-client-urls=http://127.0.0.1:{self._etcd_port}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
        )

    def start_apiserver(self) -> None:
        """Start the API server (again, after `stop_apiserver`), and wait until it is ready."""
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            "--tls-cert-file",
            self.folder / "server.crt",
            "--tls-private-key-file",
            self.folder / "server.key",
            "--cert-dir",
            self.folder / "generated",
            "--token-auth-file",
            self.folder / "tokens.csv",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",
            f"--service-account-issuer={ISSUER}",
            "--service-account-key-file",
            self.folder / "sa.pub",
            "--service-account-signing-key-file",
            self.folder / "sa.key",
            "--shutdown-delay-duration=0s",
            *self.extra_args,
        )
        self._wait_ready()

    def stop_apiserver(self, *, sig: int = signal.SIGKILL) -> None:
        """Take the API server away; etcd keeps what it holds."""
        self._close()
        self._children.pop("kube-apiserver").stop(sig=sig)

    def freeze(self, *, frozen: bool = True) -> None:
        """Let the API server hang with all its connections open, or go on."""
        self._close()
        os.kill(self._children["kube-apiserver"].pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def start_controller_manager(self) -> None:
        """Start what makes pods of Jobs, collects garbage and gives namespaces their ServiceAccount."""
        if "kube-controller-manager" in self._children:
            return
        self._run(
            "kube-controller-manager",
            "--kubeconfig",
            self.kubeconfig,
            "--bind-address=127.0.0.1",
            "--secure-port=0",
            "--leader-elect=false",
            "--authentication-skip-lookup",
            "--service-account-private-key-file",
            self.folder / "sa.key",
            "--root-ca-file",
            self.ca_file,
            "--controllers=job,garbagecollector,namespace,serviceaccount,root-ca-cert-publisher,"
            "deployment,replicaset,resourcequota",
        )

    def stop(self) -> None:
        """Stop all processes and remove what they wrote."""
        self._close()
        for child in reversed(self._children.values()):
            child.stop(sig=signal.SIGKILL)
        self._children.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, name: str, *args: str | Path) -> None:
        log = self.folder / f"{name}.log"
        self._children[name] = Child.start(name, [tools.path(name), *args], log=log)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while True:
            for child in self._children.values():
                child.check()
            try:
                if self.raw("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                self._close()
            if time.monotonic() > deadline:
                log = self._children["kube-apiserver"].tail()
                raise TimeoutError(f"kube-apiserver is not ready after {READY_S:.0f} s:\n{log}")
            time.sleep(0.1)

    # -- requests --

    def raw(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        """One request as admin over a kept connection."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        for attempt in (1, 2):
            if self._connection is None:
                context = ssl.create_default_context(cafile=str(self.ca_file))
                self._connection = http.client.HTTPSConnection(
                    "127.0.0.1", self.port, timeout=60, context=context
                )
            try:
                self._connection.request(method, path, body=body, headers=headers)
                response = self._connection.getresponse()
                return response.status, response.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self._close()
                if attempt == 2 or method == "POST":
                    raise
        raise AssertionError("unreachable")

    def request(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        content_type: str = "application/json",
        **query: str,
    ) -> Body:
        """One JSON request; a refusal is an ApiError."""
        if query:
            path = f"{path}?{urlencode(query)}"
        status, answer = self.raw(
            method, path, None if body is None else json.dumps(body).encode(), content_type
        )
        try:
            parsed: Body = json.loads(answer)
        except json.JSONDecodeError:
            parsed = {"message": answer.decode(errors="replace")}
        if status >= 400:
            raise ApiError(status, parsed)
        return parsed

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # -- for people and other processes --

    def kubeconfig_for(self, token: str, namespace: str = "default") -> str:
        """Text of a kubeconfig for the bearer of a token."""
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{"name": "test", "cluster": cluster}],
                "users": [{"name": "test", "user": {"token": token}}],
                "contexts": [
                    {"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}
                ],
            }
        )

    def kubectl(
        self, *args: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl with all rights."""
        done = subprocess.run(
            [tools.path("kubectl"), "--kubeconfig", self.kubeconfig, *args],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done

    def create_namespace(self, name: str) -> str:
        """Make a namespace with its default ServiceAccount, also when no controller manager runs."""
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        try:
            self.request(
                "POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}}
            )
        except ApiError as error:
            if error.status != 409:
                raise
        return name

    def install_crds(self, folder: Path) -> None:
        """Apply every CRD of a folder and wait until each is established."""
        bodies = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))]
        root = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for body in bodies:
            path = f"{root}/{body['metadata']['name']}"
            self.request("PATCH", path, body, content_type=APPLY, fieldManager="tests", force="true")
        deadline = time.monotonic() + 30
        for body in bodies:
            path = f"{root}/{body['metadata']['name']}"
            while not self._served(path, body):
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"{body['metadata']['name']} is not established: {self.request('GET', path)}"
                    )
                time.sleep(0.05)

    def _served(self, path: str, body: Body) -> bool:
        conditions = self.request("GET", path).get("status", {}).get("conditions", [])
        if not any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
            return False
        spec = body["spec"]
        status, _ = self.raw(
            "GET", f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        )
        return status == 200


def _write_service_account_key(folder: Path) -> None:
    """Write sa.key, which signs ServiceAccount tokens, and sa.pub, which verifies them."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    public = key.public_key()
    (folder / "sa.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    (folder / "sa.pub").write_bytes(public.public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
