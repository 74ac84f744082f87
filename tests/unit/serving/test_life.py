"""Ready only after the proof, never for a changed model; tokens that change; an end that loses nobody."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.unit.serving.servers import AUTHORISED, JSON, ROW, TOKEN, Running, start, tokens
from tests.unit.serving.test_answers import unfinished
from trainyard_model import package_digest

Starter = Callable[..., Running]


@pytest.fixture
def serve(package: Path, tmp_path: Path) -> Iterator[Starter]:
    running: list[Running] = []

    def begin(**changes: object) -> Running:
        running.append(start(package, tmp_path, **changes))
        return running[-1]

    yield begin
    for one in running:
        one.child.stop()


def tamper(package: Path) -> None:
    """Other weights, with a manifest that agrees: only the recorded answers can tell."""
    weights = load_file(package / "model.safetensors")
    name = next(n for n in weights if n.startswith("head"))
    weights[name] = weights[name] * 1.01
    save_file(weights, package / "model.safetensors")
    manifest = json.loads((package / "package.json").read_text())
    manifest["weights"]["sha256"] = hashlib.sha256((package / "model.safetensors").read_bytes()).hexdigest()
    (package / "package.json").write_text(json.dumps(manifest))


def test_ready_only_after_the_weights_are_read(package: Path, serve: Starter) -> None:
    weights = (package / "model.safetensors").read_bytes()
    (package / "model.safetensors").unlink()
    os.mkfifo(package / "model.safetensors")  # reading blocks until somebody writes
    running = serve(anonymous=1)
    running.wait(path="/v2/health/live")
    waiting = running.ask("GET", "/v2/health/ready")
    assert (waiting.status, waiting.headers["retry-after"]) == (503, "2")
    asked = running.predict([ROW])
    assert (asked.status, asked.json()["error"]) == (503, "the model is being loaded")
    for _ in range(2):  # for the digest, then for the model
        (package / "model.safetensors").write_bytes(weights)
        time.sleep(0.2)
    running.wait()
    assert running.predict([ROW]).status == 200
    assert "reproduces its 5 recorded rows" in running.wait_log("ready: jobs version 7")


def test_a_tampered_model_never_becomes_ready(package: Path, serve: Starter) -> None:
    tamper(package)
    running = serve(anonymous=1)
    line = running.wait_log("NOT READY")
    assert "jobs version 7 is refused: the recorded outputs are not reproduced: output 'probability_" in line
    assert "What to do: promote another version" in line
    refused = running.ask("GET", "/v2/health/ready")
    assert (refused.status, "not reproduced" in refused.json()["error"]) == (503, True)
    assert running.predict([ROW]).status == 503
    assert running.ask("GET", "/v2/health/live").status == 200
    assert "model_info{" not in running.metrics()
    running.child.stop()
    assert running.child.process.returncode == 0


def test_another_package_than_the_pinned_one(package: Path, serve: Starter) -> None:
    running = serve(anonymous=1, sha256="0" * 64)
    assert f"has SHA-256 {package_digest(package)}, pinned is 000" in running.wait_log("NOT READY")


def test_tokens_change_without_a_restart(tmp_path: Path, serve: Starter) -> None:
    folder = tokens(tmp_path / "tokens", TOKEN)
    running = serve(tokens_dir=folder)
    running.wait()

    def status(token: str) -> int:
        return running.predict([ROW], {**JSON, "authorization": f"Bearer {token}"}).status

    assert (status(TOKEN), status("new")) == (200, 401)
    tokens(folder, "new", TOKEN)
    time.sleep(1.2)
    assert (status(TOKEN), status("new")) == (200, 200)
    tokens(folder, "new")
    time.sleep(1.2)
    assert (status(TOKEN), status("new")) == (401, 200)
    tokens(folder)
    time.sleep(1.2)
    assert running.predict([ROW]).json()["error"] == "no token is set up on this server"


def test_neither_tokens_nor_anonymous_is_nobody(serve: Starter) -> None:
    running = serve()
    running.wait()
    reply = running.predict([ROW], JSON)
    assert (reply.status, "nobody may ask" in reply.json()["error"]) == (401, True)


class Load:
    """Callers behind a Service: they ask until the pod is taken out of it."""

    def __init__(self, running: Running, keep_alive: bool) -> None:
        self.running, self.keep_alive = running, keep_alive
        self.out, self.answered, self.lost = threading.Event(), 0, list[str]()
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def _ask(self) -> None:
        body, connection = json.dumps([ROW]), HTTPConnection("127.0.0.1", self.running.port, timeout=30)
        while not self.out.is_set():
            try:
                connection.request("POST", "/predict", body, AUTHORISED)
                reply = connection.getresponse()
                reply.read()
                if reply.status != 200:
                    self.lost.append(str(reply.status))
            except OSError as error:
                self.lost.append(repr(error))
                return
            self.answered += 1
            if not self.keep_alive:
                connection.close()
            time.sleep(0.01)


def test_sigterm_under_load_loses_no_request(tmp_path: Path, serve: Starter) -> None:
    running = serve(tokens_dir=tokens(tmp_path / "tokens", TOKEN))
    running.wait()
    callers = [Load(running, keep_alive=bool(i % 2)) for i in range(6)]
    time.sleep(0.5)
    body = json.dumps([ROW]).encode()
    late = unfinished(running.port, len(body), body[:5])
    time.sleep(0.2)
    running.child.process.send_signal(signal.SIGTERM)
    running.wait(503)
    assert running.ask("GET", "/v2/health/live").status == 200
    before = sum(one.answered for one in callers)
    time.sleep(0.7)  # it takes a while until nobody is sent here any more
    for one in callers:
        one.out.set()
    for one in callers:
        one.thread.join()
    assert [one.lost for one in callers] == [[]] * 6
    assert sum(one.answered for one in callers) > before > 10
    assert running.child.alive()
    late.sendall(body[5:])
    answer = late.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert b"connection: close" in answer.lower()
    running.child.process.wait(10)
    assert running.child.process.returncode == 0


def test_settings_that_cannot_be_used(package: Path, tmp_path: Path) -> None:
    running = start(package, tmp_path, anonymous=1, max_rows="many")
    assert running.child.process.wait(60) == 64
    assert "TRAINYARD_MAX_ROWS='many' cannot be used; set a number from 1" in running.child.tail()
