"""One question to a server, and what is to be thought of the answer; needs no torch."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard_trainer.serving.recorded import Recorded, columns_of, difference

_SECONDS = 10.0
_HEADERS = {"content-type": "application/json", "connection": "close"}


@dataclass(frozen=True, slots=True)
class Answer:
    """`problem` is empty for a right answer; `wrong` tells an answer that must never be from none at all."""

    problem: str = ""
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks for the recorded example, each time over a connection of its own, so that every pod is met."""

    url: str
    name: str
    version: str
    recorded: Recorded
    tokens: Path | None = None

    def ask(self) -> Answer:
        """Ask once."""
        body = json.dumps(self.recorded.row_objects()).encode()
        request = urllib.request.Request(f"{self.url}/predict", body, _HEADERS)  # noqa: S310 - an address in the cluster
        try:
            for header, value in self._token().items():
                request.add_header(header, value)
            with urllib.request.urlopen(request, timeout=_SECONDS) as reply:  # noqa: S310
                version, content = reply.headers.get("x-model-version"), reply.read()
        except urllib.error.HTTPError as error:
            return Answer(f"{error.code} {error.reason}: {_said(error)}")
        except (OSError, http.client.HTTPException) as error:
            return Answer(f"no answer: {getattr(error, 'reason', None) or repr(error)}")
        return self._judge(version, content)

    def _judge(self, version: str | None, content: bytes) -> Answer:
        if version != self.version:
            return Answer(f"version {version} answered, not {self.version}", wrong=True)
        try:
            answer = columns_of(json.loads(content)["rows"])
            problem, _ = difference(self.recorded, answer)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return Answer(f"the answer cannot be understood: {type(error).__name__}: {error}", wrong=True)
        return Answer() if problem is None else Answer(problem, wrong=True)

    def _token(self) -> dict[str, str]:
        """Any of the mounted tokens, read anew: they may be replaced meanwhile."""
        if self.tokens is None:
            return {}
        files = sorted(f for f in self.tokens.iterdir() if not f.name.startswith(".") and f.is_file())
        found = [content for file in files if (content := file.read_text().strip())]
        return {"Authorization": f"Bearer {found[0]}"} if found else {}


def _said(error: urllib.error.HTTPError) -> str:
    """The error's own words, shortened."""
    content: Any = None
    try:
        content = json.loads(error.read(65_536))
    except (ValueError, OSError):
        return "no reason given"
    said = content.get("error") if isinstance(content, dict) else None
    return f"{said:.300}" if isinstance(said, str) else "no reason given"
