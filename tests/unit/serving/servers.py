"""Real servers on loopback, and questions to them."""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import Child, free_port

TOKEN = "s3cret-token"
JSON = {"content-type": "application/json"}
AUTHORISED = {**JSON, "authorization": f"Bearer {TOKEN}"}
ROW = {"age": 40.0, "zone": 3, "job": "clerk"}


@dataclass
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    child: Child
    port: int
    metrics_port: int

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return ask(self.port, method, path, content, AUTHORISED if headers is None else headers)

    def predict(self, body: Any, headers: Mapping[str, str] | None = None) -> Reply:
        return self.ask("POST", "/predict", body, headers)

    def metrics(self) -> str:
        return ask(self.metrics_port, "GET", "/metrics").body.decode()

    def wait(self, status: int = 200, path: str = "/v2/health/ready", seconds: float = 60) -> Reply:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.child.check()
            try:
                reply = self.ask("GET", path)
            except OSError:
                time.sleep(0.05)
                continue
            if reply.status == status:
                return reply
            time.sleep(0.05)
        raise AssertionError(f"{path} did not answer {status} in time:\n{self.child.tail()}")

    def wait_log(self, text: str, seconds: float = 60) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            lines = [line for line in self.child.log.read_text().splitlines() if text in line]
            if lines:
                return lines[0]
            self.child.check()
            time.sleep(0.05)
        raise AssertionError(f"no {text!r} in the log:\n{self.child.tail()}")


def ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers or {}))
        reply = connection.getresponse()
        return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
    finally:
        connection.close()


def environment(package: Path, **changes: object) -> dict[str, str]:
    env = {
        "TRAINYARD_MODEL_DIR": str(package),
        "TRAINYARD_MODEL_NAME": "jobs",
        "TRAINYARD_MODEL_VERSION": "7",
        "TRAINYARD_HOST": "127.0.0.1",
        "TRAINYARD_DRAIN_SECONDS": "10",
    }
    return env | {f"TRAINYARD_{name.upper()}": str(value) for name, value in changes.items()}


def start(package: Path, logs: Path, **changes: object) -> Running:
    """Start a server; tokens or `anonymous` are for the caller to give."""
    port, metrics_port = free_port(), free_port()
    env = environment(package, port=port, metrics_port=metrics_port, **changes)
    log = logs / f"server-{port}.log"
    return Running(
        Child.start("server", [sys.executable, "-m", "trainyard_trainer.serving"], log=log, env=env),
        port,
        metrics_port,
    )


def tokens(folder: Path, *values: str) -> Path:
    """Tokens as the kubelet mounts a Secret: links into a folder that is swapped as a whole."""
    folder.mkdir(exist_ok=True)
    version = folder / f"..{time.monotonic_ns()}"
    version.mkdir()
    for i, value in enumerate(values):
        (version / f"token-{i}").write_text(value + "\n")
    swap = folder / "..swap"
    swap.symlink_to(version.name)
    swap.replace(folder / "..data")
    for old in folder.glob("token-*"):
        old.unlink()
    for i in range(len(values)):
        (folder / f"token-{i}").symlink_to(f"..data/token-{i}")
    return folder
