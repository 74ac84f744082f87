"""The registry against a real MLflow server: asked twice is done once, and no trouble is an exception."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.support.tracking import TrackingServer
from trainyard.controller import registry as module
from trainyard.controller.metrics import Metrics
from trainyard.controller.registry import Registry
from trainyard.controller.registryclient import Refused, RegistryClient
from trainyard.controller.watched import Key
from trainyard.core.plan import Register
from trainyard.core.serving_observed import RegistryFacts
from trainyard.core.serving_plan import MoveAlias
from trainyard.core.tags import version_tags

KEY, OTHER = Key("TrainingJob", "team-a", "adult"), Key("ModelServer", "team-a", "income")
MODEL = "team-a.income"


def _register(logged: tuple[str, str], uid: str = "u1", model: str = MODEL, claim: str = "") -> Register:
    namespace, _, name = model.partition(".")
    tags = version_tags(uid, "a" * 64, "h1", {"test_roc_auc": 0.98, "test_loss": float("nan")})
    return Register(model, claim or f"{namespace}/{name}", uid, logged[0], logged[1], tags)


def test_a_version_is_made_once_with_its_tags(tracking: TrackingServer, logged: tuple[str, str]) -> None:
    client = RegistryClient(tracking.uri)
    assert client.read(MODEL) == RegistryFacts()
    client.register(_register(logged))
    client.register(_register(logged))
    client.register(_register(logged, uid="u2"))
    facts = client.read(MODEL)
    assert facts.claim == "team-a/income"
    assert [v.number for v in facts.versions] == [1, 2]
    made = facts.made_by("u1")
    assert made is not None
    assert (made.sha256, made.holdout_digest, made.metrics["test_roc_auc"]) == ("a" * 64, "h1", 0.98)
    assert made.metrics["test_loss"] != made.metrics["test_loss"]
    assert tracking.artifact(made.uri, "package.json") == b"{}"
    assert tracking.client().get_model_version(MODEL, "1").run_id == logged[1]


def test_the_alias_moves_and_moves_back(tracking: TrackingServer, logged: tuple[str, str]) -> None:
    client, model = RegistryClient(tracking.uri), "team-a.aliased"
    client.register(_register(logged, "u1", model))
    client.register(_register(logged, "u2", model))
    assert client.read(model).champion is None
    for number in (1, 2, 2, 1):
        client.move_alias(MoveAlias(model, number))
        assert client.read(model).champion == number


def test_a_model_of_somebody_else_is_left_alone(tracking: TrackingServer, logged: tuple[str, str]) -> None:
    client, model = RegistryClient(tracking.uri), "team-a.foreign"
    tracking.client().create_registered_model(model)
    with pytest.raises(Refused, match=r"belongs to nobody that Trainyard knows.*trainyard\.modelserver"):
        client.register(_register(logged, "u1", model))
    assert client.read(model).versions == ()
    assert client.read(model).claim == ""


def test_a_model_that_was_deleted_is_named(tracking: TrackingServer, logged: tuple[str, str]) -> None:
    action = replace(_register(logged, "u9", "team-a.gone"), source="models:/m-0")
    with pytest.raises(Refused, match=r"models:/m-0 .* not in MLflow any more: train again"):
        RegistryClient(tracking.uri).register(action)


class Desk:
    """A registry on a loop, and the keys that it queued."""

    def __init__(self, uri: str) -> None:
        self.metrics = Metrics()
        self._queued: dict[Key, asyncio.Event] = {KEY: asyncio.Event(), OTHER: asyncio.Event()}
        self.registry = Registry(RegistryClient(uri), self.metrics, lambda key: self._queued[key].set())

    async def woken(self, key: Key) -> None:
        """Wait until the key is queued."""
        await asyncio.wait_for(self._queued[key].wait(), 30)
        self._queued[key].clear()

    async def answer(self, key: Key = KEY, model: str = MODEL) -> RegistryFacts:
        """Facts as a reconcile gets them: asked, queued, read."""
        while (facts := self.registry.facts(key, model)) is None:
            await self.woken(key)
        return facts


def run(uri: str, test: Callable[[Desk], Awaitable[None]]) -> None:
    async def main() -> None:
        desk = Desk(uri)
        try:
            await test(desk)
        finally:
            desk.registry.stop()

    asyncio.run(main())


def test_changes_are_posted_and_read_back(tracking: TrackingServer, logged: tuple[str, str]) -> None:
    model = "team-a.posted"

    async def test(desk: Desk) -> None:
        assert (await desk.answer(KEY, model)).claim is None
        desk.registry.register(KEY, _register(logged, "u1", model))
        desk.registry.register(KEY, _register(logged, "u1", model))
        now = desk.registry.facts(KEY, model)
        assert now is not None
        assert now.busy
        other = desk.registry.facts(OTHER, model)
        assert other is not None
        assert not other.busy
        await desk.woken(KEY)
        made = desk.registry.facts(KEY, model)
        assert made is not None
        assert not made.busy
        assert [v.uid for v in made.versions] == ["u1"]
        desk.registry.move_alias(OTHER, MoveAlias(model, 1))
        await desk.woken(OTHER)
        moved = desk.registry.facts(KEY, model)
        assert moved is not None
        assert moved.champion == 1
        assert 'call="register",outcome="ok"} 1.0' in desk.metrics.render().decode()

    run(tracking.uri, test)


def test_facts_are_asked_for_again_when_they_are_old(
    tracking: TrackingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(desk: Desk) -> None:
        await desk.answer()
        assert desk.registry.facts(OTHER, MODEL) is not None
        monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)
        assert desk.registry.facts(OTHER, MODEL) is None
        # The key that is queued with the answer sees it, however late it comes to it.
        await desk.answer(OTHER)

    run(tracking.uri, test)


def test_a_refusal_is_told_until_the_next_answer(
    tracking: TrackingServer, logged: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = "team-a.refused"
    tracking.client().create_registered_model(model)

    async def test(desk: Desk) -> None:
        await desk.answer(KEY, model)
        desk.registry.register(KEY, _register(logged, "u1", model))
        await desk.woken(KEY)
        told = desk.registry.facts(KEY, model)
        assert told is not None
        assert "belongs to nobody" in told.error
        assert told.claim == ""
        monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)
        assert (await desk.answer(KEY, model)).error == ""

    run(tracking.uri, test)


def test_a_server_that_is_down_is_a_text() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{closed.getsockname()[1]}"

        async def test(desk: Desk) -> None:
            facts = await desk.answer()
            assert facts.error.startswith(f"MLflow at {uri} does not answer")
            assert facts.claim is None

        run(uri, test)


def test_a_server_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    client = RegistryClient("http://127.0.0.1:1")
    readers: set[int] = set()

    def read(model: str) -> RegistryFacts:
        readers.add(threading.get_ident())
        assert release.wait(10)
        return RegistryFacts(claim="")

    monkeypatch.setattr(client, "read", read)

    async def test() -> None:
        queued: list[Key] = []
        both = asyncio.Event()

        def add(key: Key) -> None:
            queued.append(key)
            if len(queued) == 2:
                both.set()

        registry = Registry(client, Metrics(), add)
        assert registry.facts(KEY, MODEL) is None
        assert registry.facts(OTHER, MODEL) is None
        assert not queued
        release.set()
        await asyncio.wait_for(both.wait(), 10)
        assert set(queued) == {KEY, OTHER}
        assert readers
        assert threading.get_ident() not in readers, "the event loop itself would have hung"
        registry.stop()

    asyncio.run(test())


def test_an_operator_without_promotions_does_not_load_mlflow() -> None:
    code = "import sys, trainyard.controller.app; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
