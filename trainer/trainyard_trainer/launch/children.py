"""The processes of this machine that train together, as children of whoever starts them.

A child's standard input is a pipe that nothing is written to: its end tells the child that its parent is
gone, however that went. Children lead sessions of their own, so that Ctrl-C reaches the parent alone.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from trainyard.api.wire import Result
from trainyard_trainer.launch.place import Place
from trainyard_trainer.launch.verdict import LOST, End

COMMAND = (sys.executable, "-m", "trainyard_trainer")


@dataclass(slots=True)
class Child:
    """One process. `killed` says that its parent ended it, which is no failure of its own."""

    place: Place
    result: Path
    process: subprocess.Popen[bytes]
    killed: bool = False

    @property
    def code(self) -> int | None:
        """Exit code, the negative number of the signal that ended it, or None while it runs."""
        return self.process.poll()


@dataclass(slots=True)
class Children:
    """Started together; those that still run are ended with the `with` block.

    Attributes:
        places: Of the children.
        folder: Where they leave their last words.
        workdir: Where they work: the first process here, the others in folders of their own below it.
        command: What each runs.
        environment: Beside their places.
    """

    places: Sequence[Place]
    folder: Path
    workdir: Path
    command: Sequence[str] = COMMAND
    environment: Mapping[str, str] = field(default_factory=dict)
    all: list[Child] = field(default_factory=list)

    def start(self) -> Children:
        """Start them."""
        for place in self.places:
            result = self.folder / f"result-{place.rank}.json"
            own = self.workdir / f"process-{place.local_rank}" if place.local_rank else self.workdir
            extra = {
                **self.environment,
                **place.environment(),
                "TRAINYARD_RESULT": str(result),
                "TRAINYARD_WORKDIR": str(own),
            }
            process = subprocess.Popen(
                list(self.command),
                env={"TORCH_CPP_LOG_LEVEL": "FATAL", **os.environ, **extra},
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
            self.all.append(Child(place, result, process))
        return self

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *raised: object) -> None:
        self.end(0.0)
        for child in self.all:
            if child.process.stdin is not None:
                child.process.stdin.close()

    @property
    def running(self) -> list[Child]:
        """Those that have not ended."""
        return [child for child in self.all if child.code is None]

    @property
    def failed(self) -> bool:
        """Whether one ended other than well."""
        return any(child.code for child in self.all)

    def signal(self, number: int) -> None:
        """To all that run."""
        for child in self.running:
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Whether all have ended in the time given."""
        deadline = time.monotonic() + seconds
        while self.running:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def ends(self) -> list[End]:
        """How they ended, once they have."""
        return [End(c.place.rank, c.code or 0, _read(c.result), c.killed) for c in self.all]

    def end(self, seconds: float) -> None:
        """Wait so long for those that run, then kill them."""
        if self.wait(seconds):
            return
        for child in self.running:
            child.killed = True
            child.process.kill()
        self.wait(10.0)


def leave_with_parent() -> None:
    """In a child: end at once when the parent is gone, for there is nobody left to tell."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        os._exit(LOST)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _read(path: Path) -> Result | None:
    try:
        return Result.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
