"""Ctrl-C as a wish: the training saves its state and stops, and can be taken up again."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from trainyard_trainer.stop import StopRequest


@contextlib.contextmanager
def stoppable(
    signals: tuple[signal.Signals, ...], say: Callable[[str], None], again: Callable[[int], None]
) -> Iterator[StopRequest]:
    """Signals set the request while this is open; outside the main thread, which alone may, nothing does.

    Args:
        signals: Which ones.
        say: Told once what happens.
        again: Called with the number of a second signal: whoever sends two does not want to wait.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            again(number)
            return
        stop.set()
        say("stopping: saving a checkpoint (interrupt again to stop at once)")

    before = {number: signal.signal(number, ask) for number in signals}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
