"""Work that takes long a row, for as many rows as there is time for.

Explaining a text or an image takes many passes through the network, forwards and back: milliseconds for some
models, seconds for others. Nobody should wait minutes for a report.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from trainyard_trainer.report.findings import Integers

SECONDS = 10.0
_FIRST, _MOST = 4, 64


def paced(
    rows: Integers, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
) -> Iterator[Integers]:
    """Consecutive pieces of the rows; the first always, and others while they probably end in time.

    How long a piece takes is what passes until the next one is asked for.
    """
    began, done = clock(), 0
    while done < len(rows):
        size = _FIRST
        if done:
            passed = clock() - began
            size = int((seconds - passed) / max(passed / done, 1e-9))
            if size < 1:
                return
        yield rows[done : done + min(size, _MOST)]
        done += min(size, _MOST, len(rows) - done)
