"""Progress goes to a real server, and no server can hurt the training."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from trainyard.api.wire import Progress
from trainyard_trainer.tracking.progress import Endpoint, ProgressReporter


class Coordinator(ThreadingHTTPServer):
    """Answers what it is told to, and remembers what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.reply = 200, {"stop": False, "nextAfterSeconds": 0.0}
        self.seen: list[tuple[str, str, dict[str, Any]]] = []


class Handler(BaseHTTPRequestHandler):
    """POST only."""

    server: Coordinator

    def do_POST(self) -> None:
        """One report."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers["Authorization"], body))
        content = json.dumps(self.server.reply).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Silence."""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainyard_trainer.tracking.progress._FIRST_PAUSE_SECONDS", 0.05)


@pytest.fixture
def coordinator() -> Iterator[Coordinator]:
    with Coordinator() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def reporter(server: Coordinator, folder: Path) -> ProgressReporter:
    (folder / "token").write_text("first\n")
    made = ProgressReporter(Endpoint(f"http://127.0.0.1:{server.server_port}", folder / "token"), attempt=2)
    made.start()
    return made


def until(condition: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def test_reports_follow_the_contract(coordinator: Coordinator, tmp_path: Path) -> None:
    coordinator.reply["imageID"] = "registry/trainer@sha256:ab"
    progress = reporter(coordinator, tmp_path)
    progress.report(3, 50, 12.34, {"val_roc_auc": 0.9}, {"experimentID": "1", "runID": "r"})
    until(lambda: len(coordinator.seen) == 1)
    path, authorization, body = coordinator.seen[0]
    assert (path, authorization) == ("/v1/progress", "Bearer first")
    assert body == {
        "attempt": 2,
        "epoch": 3,
        "epochs": 50,
        "percent": 6,
        "etaSeconds": 12.3,
        "metrics": {"val_roc_auc": 0.9},
        "experimentID": "1",
        "runID": "r",
    }
    Progress.model_validate(body, extra="forbid")
    (tmp_path / "token").write_text("second\n")
    progress.report(50, 50, 0.0, {}, {})
    progress.close()
    assert coordinator.seen[-1][1] == "Bearer second"
    assert coordinator.seen[-1][2]["percent"] == 100
    assert progress.image == "registry/trainer@sha256:ab"


def test_only_the_newest_waits(coordinator: Coordinator, tmp_path: Path) -> None:
    coordinator.reply = {"stop": False, "nextAfterSeconds": 30.0}
    progress = reporter(coordinator, tmp_path)
    progress.report(1, 50, None, {}, {})
    until(lambda: len(coordinator.seen) == 1)
    for epoch in range(2, 40):
        progress.report(epoch, 50, None, {}, {})
    progress.close()
    assert [body["epoch"] for _, _, body in coordinator.seen] == [1, 39]


@pytest.mark.parametrize(
    ("status", "reply", "reason"),
    [(409, {}, "a newer attempt has taken over"), (200, {"stop": True}, "the coordinator asked")],
)
def test_the_coordinator_can_end_the_attempt(
    coordinator: Coordinator, tmp_path: Path, status: int, reply: dict[str, Any], reason: str
) -> None:
    coordinator.status, coordinator.reply = status, reply
    progress = reporter(coordinator, tmp_path)
    progress.report(1, 50, None, {}, {})
    until(lambda: progress.stop_reason is not None)
    assert progress.stop_reason is not None
    assert progress.stop_reason.startswith(reason)
    progress.close()


@pytest.mark.parametrize("status", [401, 403, 500])
def test_refusals_are_said_once_and_training_goes_on(
    coordinator: Coordinator, tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    coordinator.status = status
    progress = reporter(coordinator, tmp_path)
    for epoch in (1, 2):
        progress.report(epoch, 50, None, {}, {})
        until(lambda epoch=epoch: len(coordinator.seen) >= epoch)
    progress.close()
    assert progress.stop_reason is None
    assert len(caplog.records) == 1
    assert str(status) in caplog.text


def test_nobody_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    progress = ProgressReporter(Endpoint("https://127.0.0.1:1", tmp_path / "no-token"), attempt=1)
    progress.start()
    progress.report(1, 50, None, {}, {})
    progress.close()
    assert progress.stop_reason is None
    assert "training goes on" in caplog.text
