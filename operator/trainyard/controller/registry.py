"""The registry as reconciles see it: remembered facts and posted changes, never a wait, never an exception.

One daemon thread talks to MLflow, so that a server that hangs costs nobody else anything. Whatever it learns
comes back to the loop, and the keys that asked are queued again.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from trainyard.controller.metrics import Metrics
from trainyard.controller.registryclient import RegistryClient
from trainyard.controller.watched import Key
from trainyard.core.plan import Register
from trainyard.core.serving_observed import RegistryFacts
from trainyard.core.serving_plan import MoveAlias

T = TypeVar("T")
log = logging.getLogger(__name__)

FRESH_SECONDS = 10.0
"""Age at which facts are asked for again before anything is decided on them."""
REMEMBERED = 1000
"""Models whose facts are kept."""


@dataclass(slots=True)
class _Entry:
    """What is known of one registered model."""

    facts: RegistryFacts | None = None
    at: float = float("-inf")
    asked: bool = False
    """A question is on its way."""
    waiting: set[Key] = field(default_factory=set)
    """Keys to queue when it is answered."""
    unread: set[Key] = field(default_factory=set)
    """Keys that were queued for this answer and have not seen it: to them it never is too old."""


class Registry:
    """Facts and changes of registered models. Only used on the main loop."""

    def __init__(self, client: RegistryClient, metrics: Metrics, add: Callable[[Key], None]) -> None:
        self._client = client
        self._metrics = metrics
        self._add = add
        self._loop = asyncio.get_running_loop()
        self._models: dict[str, _Entry] = {}
        self._busy: set[Key] = set()
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def facts(self, key: Key, model: str) -> RegistryFacts | None:
        """What is known; None when it has to be asked for first, and then the key is queued again."""
        entry = self._entry(model)
        if entry.facts is None or (self._loop.time() - entry.at >= FRESH_SECONDS and key not in entry.unread):
            entry.waiting.add(key)
            self._ask(model, entry)
            return None
        entry.unread.discard(key)
        return replace(entry.facts, busy=key in self._busy)

    def register(self, key: Key, action: Register) -> None:
        """Post the making of a version."""
        self._change(key, "register", action.model, lambda: self._client.register(action))

    def move_alias(self, key: Key, action: MoveAlias) -> None:
        """Post the move of the alias."""
        self._change(key, "move_alias", action.model, lambda: self._client.move_alias(action))

    def forget(self, key: Key) -> None:
        """The object is gone."""
        for entry in self._models.values():
            entry.waiting.discard(key)
            entry.unread.discard(key)

    def stop(self) -> None:
        """Ask the thread to end after its present call; it is a daemon and holds nobody up."""
        self._calls.put(None)

    def _entry(self, model: str) -> _Entry:
        if model not in self._models and len(self._models) >= REMEMBERED:
            idle = (name for name, e in self._models.items() if not e.asked and not e.unread)
            self._models.pop(next(idle, ""), None)
        return self._models.setdefault(model, _Entry())

    def _ask(self, model: str, entry: _Entry) -> None:
        if entry.asked:
            return
        entry.asked = True
        self._post(
            "read",
            lambda: self._client.read(model),
            lambda facts, error: self._answered(model, facts, error),
        )

    def _answered(self, model: str, facts: RegistryFacts | None, error: str) -> None:
        self._entry(model).asked = False
        self._learned(model, facts, error)

    def _learned(self, model: str, facts: RegistryFacts | None, error: str) -> None:
        """Keep what was learned; an error stands beside the last good answer until the next one."""
        entry = self._entry(model)
        entry.facts = facts if facts is not None else replace(entry.facts or RegistryFacts(), error=error)
        entry.at = self._loop.time()
        entry.unread, entry.waiting = entry.waiting, set()
        for key in entry.unread:
            self._add(key)

    def _change(self, key: Key, verb: str, model: str, call: Callable[[], None]) -> None:
        """Post a change and the question what is there after it: nobody decides on facts from before."""
        if key in self._busy:
            return
        self._busy.add(key)
        self._post(
            verb,
            lambda: self._done(call, model),
            lambda facts, error: self._changed(key, model, facts, error),
        )

    def _done(self, call: Callable[[], None], model: str) -> RegistryFacts:
        call()
        return self._client.read(model)

    def _changed(self, key: Key, model: str, facts: RegistryFacts | None, error: str) -> None:
        self._busy.discard(key)
        self._entry(model).waiting.add(key)
        self._learned(model, facts, error)

    def _post(self, verb: str, call: Callable[[], T], done: Callable[[T | None, str], None]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="registry", daemon=True)
            self._thread.start()

        def task() -> None:
            answer: T | None = None
            error = ""
            try:
                answer = call()
            except Exception as failure:
                error = self._client.explain(failure)
                log.warning("%s: %s", verb, error)
            self._metrics.registry_calls.labels(verb, "error" if error else "ok").inc()
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(done, answer, error)

        self._calls.put(task)

    def _serve(self) -> None:
        while (task := self._calls.get()) is not None:
            try:
                task()
            except RuntimeError:  # the loop closed between the question and the answer
                return
