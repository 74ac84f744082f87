"""`trainyard run FILE` under a clock: what the main thread spends on imports until the first step is done.

    python -m tests.benchmarks.importclock OUT FILE

Every import, by statement or by importlib, goes through one function of the import system, which is wrapped
here: outermost calls in the main thread are added up. The end of the optimiser's first step ends the
measurement: torch imports more when an optimiser is made and when it steps.
"""

from __future__ import annotations

import importlib._bootstrap as bootstrap
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

START = time.perf_counter()


class Clock:
    """Adds up; writes [seconds of imports, seconds since the start] when the first step comes."""

    def __init__(self, out: Path) -> None:
        self.out, self.depth, self.seconds = out, 0, 0.0
        self.find, self.hooked = bootstrap._find_and_load, False

    def __call__(self, name: str, import_: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            return self.find(name, import_)
        self.depth += 1
        begun = time.perf_counter()
        try:
            return self.find(name, import_)
        finally:
            self.depth -= 1
            if self.depth == 0:
                self.seconds += time.perf_counter() - begun
                self._hook()

    def _hook(self) -> None:
        """As soon as torch is there, be told of the first step."""
        torch = sys.modules.get("torch.optim.optimizer")
        if self.hooked or torch is None or not hasattr(torch, "register_optimizer_step_post_hook"):
            return
        self.hooked = True
        torch.register_optimizer_step_post_hook(self._first_step)

    def _first_step(self, *_: object) -> None:
        if not self.out.exists():
            self.out.write_text(json.dumps([self.seconds, time.perf_counter() - START]))


def main() -> None:
    """Install the clock and run."""
    out, file = Path(sys.argv[1]), sys.argv[2]
    bootstrap._find_and_load = Clock(out)
    from trainyard.cli import main as trainyard

    sys.argv = ["trainyard", "run", file]
    trainyard()


if __name__ == "__main__":
    main()
