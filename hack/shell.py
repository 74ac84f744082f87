"""Running commands, and telling people what is going on while they run."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from hack.versions import BUILD

LOGS = BUILD / "logs"
STAGES = BUILD / "stages.json"
SPINNER = "|/-\\"
PLAIN_INTERVAL_S = 30.0


class ToolError(Exception):
    """A step failed; the message says what, where the log is and what to do next."""


class Ticker:
    """A line that shows elapsed seconds: a spinner on a terminal, else a line every half minute."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.start = time.monotonic()
        self._done = threading.Event()
        self._tty = sys.stderr.isatty()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    def _tick(self) -> None:
        turn = 0
        while not self._done.wait(0.2 if self._tty else PLAIN_INTERVAL_S):
            turn += 1
            if self._tty:
                sys.stderr.write(f"\r\033[K{SPINNER[turn % 4]} {self.label} {self.elapsed:.0f} s")
                sys.stderr.flush()
            else:
                say(f". {self.label}: {self.elapsed:.0f} s so far")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        if self._tty:
            sys.stderr.write("\r\033[K")
        say(f"{'!' if kind else '+'} {self.label} {self.elapsed:.1f} s{' (failed)' if kind else ''}")


def say(line: str) -> None:
    """Print a progress line; results go to stdout, progress to stderr."""
    print(line, file=sys.stderr, flush=True)


def record(name: str, seconds: float) -> None:
    """Append the seconds of a stage to build/stages.json, which the benchmark prints."""
    BUILD.mkdir(exist_ok=True)
    try:
        stages = json.loads(STAGES.read_text())
    except (OSError, ValueError):
        stages = []
    stages.append({"stage": name, "seconds": round(seconds, 1), "at": int(time.time())})
    STAGES.write_text(json.dumps(stages, indent=1) + "\n")


@contextmanager
def stage(name: str, label: str) -> Iterator[None]:
    """Show and record one long step."""
    with Ticker(label) as ticker:
        yield
    record(name, ticker.elapsed)


def run(
    argv: Sequence[str | Path],
    *,
    log: str,
    remedy: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: IO[bytes] | None = None,
    timeout: float | None = None,
) -> None:
    """Run a command with its output in build/logs/<log>.log; a failure shows the end of that log."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{log}.log"
    words = [str(word) for word in argv]
    with path.open("ab") as out:
        out.write(f"\n$ {' '.join(words)}\n".encode())
        out.flush()
        start = out.tell()
        try:
            code = subprocess.run(
                words,
                stdin=stdin or subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                timeout=timeout,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = 124
        except FileNotFoundError:
            raise ToolError(f"{words[0]} is not installed. {remedy}".strip()) from None
    if code:
        raise ToolError(failure(words, code, path, start, remedy))


def failure(words: Sequence[str], code: int, log: Path, start: int, remedy: str) -> str:
    """Compose the message of a failed command from the end of its log."""
    with log.open("rb") as file:
        file.seek(start)
        tail = file.read().decode(errors="replace").splitlines()[-20:]
    lines = "\n".join(f"    {line}" for line in tail)
    hint = f"\n  what to do: {remedy}" if remedy else ""
    return f"`{' '.join(words)[:200]}` ended with code {code}:\n{lines}\n  full log: {log}{hint}"


def output(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, timeout: float = 60.0
) -> str | None:
    """Return what a command prints, or None when it fails or is not there: for questions, not for work."""
    try:
        done = subprocess.run(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, **(env or {})},
            timeout=timeout,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
