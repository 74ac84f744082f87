"""The wish to stop, as a flag; a module of its own because signal handlers need it before any import."""

from __future__ import annotations

import threading

from trainyard_trainer.errors import Stopped


class StopRequest:
    """Set from a signal handler or another thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask the training to stop at the next step."""
        self._event.set()

    def is_set(self) -> bool:
        """Whether it was asked."""
        return self._event.is_set()

    def check(self) -> None:
        """Between stages.

        Raises:
            Stopped: It was asked to stop while there was nothing to save.
        """
        if self._event.is_set():
            raise Stopped("stopped before training began", "start it again")
