"""A contestant in a process of its own, so that neither's threads, allocator or environment touch the other.

It is named `module:factory` here; the factory takes the fields of what is timed. Words come on standard input
(`epoch`, and names of the contestant's methods with whole numbers); seconds, or what else they give, go to
standard output as JSON; only one contestant works at a time.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from itertools import chain
from types import TracebackType
from typing import Any, Self

from tests.benchmarks.report import ROOT
from trainyard_trainer.threads import prepare_environment

OURS, COMPILED, PEER = "ours:table", "ours:compiled", "peer:table"


class Contestant:
    """The other end: starts the process and asks. `cell` is a dataclass with a `name` for people."""

    def __init__(self, who: str, cell: Any) -> None:
        self.who, self.cell = who, cell
        words = [sys.executable, "-m", "tests.benchmarks.contestant", who, json.dumps(asdict(cell))]
        self._process = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.facts: dict[str, Any] = self._answer()

    def ask(self, what: str, *arguments: int) -> Any:
        """Have one thing done; its seconds come back, or what else was asked for."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join([what, *map(str, arguments)]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.who} on {self.cell.name} ended with code {self._process.wait()}")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()


def main() -> None:
    """Be a contestant."""
    module, _, factory = sys.argv[1].partition(":")
    fields = json.loads(sys.argv[2])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    words = (line.split() for line in sys.stdin)
    if "peer" not in module:
        prepare_environment()
    contestant = getattr(import_module(f"tests.benchmarks.{module}"), factory)(**fields)
    _say(out, contestant.facts)
    if hasattr(contestant, "train"):
        words = _epochs(contestant, words, out)
    for word, *arguments in words:
        _say(out, _other(contestant, word, arguments))


def _epochs(ours: Any, words: Iterator[list[str]], out: Any) -> Iterator[list[str]]:
    """Drive our loop as long as epochs are asked for; the words that are left come back."""
    from tests.benchmarks.ours import Enough

    pending: list[list[str]] = []

    def after_epoch(epoch: Any) -> None:
        _say(out, epoch.seconds)
        _until_epoch()

    def _until_epoch() -> None:
        for word, *arguments in words:
            if word == "epoch":
                return
            pending.append([word, *arguments])
            break
        raise Enough

    try:
        _until_epoch()
    except Enough:
        pass
    else:
        ours.train(after_epoch)
    return chain(pending, words)


def _other(contestant: Any, word: str, arguments: list[str]) -> Any:
    if word == "peak":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return getattr(contestant, word)(*map(int, arguments))


def _say(out: Any, what: Any) -> None:
    out.write(json.dumps(what) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
