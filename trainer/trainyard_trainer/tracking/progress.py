"""Progress to the coordinator: the newest report, as often as it asks, never at the training's cost."""

from __future__ import annotations

import json
import logging
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TIMEOUT_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 2.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the coordinator is, and how this pod shows who it is."""

    url: str
    token_file: Path
    ca_file: Path | None = None


class ProgressReporter:
    """A thread; `stop_reason` is set when the coordinator wants this attempt to end.

    `image` is what this pod runs, by digest, once the coordinator has told: a pod cannot see it itself.
    """

    def __init__(self, endpoint: Endpoint, attempt: int) -> None:
        self.endpoint, self.attempt = endpoint, attempt
        self.stop_reason: str | None = None
        self.image = ""
        self._newest: dict[str, Any] | None = None
        self._lock, self._wake, self._closed = threading.Lock(), threading.Event(), threading.Event()
        self._complained = False
        self._thread = threading.Thread(target=self._work, name="progress", daemon=True)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def report(
        self,
        epoch: int,
        epochs: int,
        eta_seconds: float | None,
        metrics: Mapping[str, float],
        run: Mapping[str, str],
    ) -> None:
        """Replace the report that goes out next."""
        body = {
            "attempt": self.attempt,
            "epoch": epoch,
            "epochs": epochs,
            "percent": min(100, 100 * epoch // max(1, epochs)),
            "etaSeconds": None if eta_seconds is None else round(eta_seconds, 1),
            "metrics": dict(metrics),
            **run,
        }
        with self._lock:
            self._newest = {key: value for key, value in body.items() if value is not None}
        self._wake.set()

    def close(self) -> None:
        """Send the last report, if the coordinator takes it quickly."""
        self._closed.set()
        self._wake.set()
        self._thread.join(_TIMEOUT_SECONDS + 1.0)

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                body, self._newest = self._newest, None
            pause = self._send(body) if body is not None else 0.0
            if self._closed.is_set():
                if self._newest is None:
                    return
                self._wake.set()
            else:
                self._closed.wait(pause)

    def _send(self, body: dict[str, Any]) -> float:
        """Post one report; the number of seconds to wait before the next comes back."""
        try:
            token = self.endpoint.token_file.read_text().strip()
            request = urllib.request.Request(  # noqa: S310 - the operator gives the address
                self.endpoint.url.rstrip("/") + "/v1/progress",
                json.dumps(body).encode(),
                {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS, context=self._tls()) as reply:  # noqa: S310
                answer = json.loads(reply.read(65_536))
            self.image = str(answer.get("imageID") or self.image)
            if answer.get("stop"):
                self.stop_reason = "the coordinator asked this attempt to stop"
            return float(answer.get("nextAfterSeconds", _FIRST_PAUSE_SECONDS))
        except urllib.error.HTTPError as error:
            if error.code == 409:
                self.stop_reason = "a newer attempt has taken over"
            else:
                self._complain(f"{error.code} {error.reason}")
        except (OSError, ValueError) as error:
            self._complain(str(error))
        return _FIRST_PAUSE_SECONDS

    def _tls(self) -> ssl.SSLContext | None:
        if not self.endpoint.url.startswith("https"):
            return None
        cafile = str(self.endpoint.ca_file) if self.endpoint.ca_file else None
        return ssl.create_default_context(cafile=cafile)

    def _complain(self, reason: str) -> None:
        if not self._complained:
            _log.warning("progress cannot be reported (training goes on): %s", reason)
            self._complained = True
