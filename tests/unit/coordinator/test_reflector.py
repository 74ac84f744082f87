"""The watch loop against a scripted API server: what real ones do seldom is done here on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import pytest

from trainyard.coordinator import reflector
from trainyard.coordinator.kube import KubeError
from trainyard.coordinator.reflector import Reflector, pause

Body = dict[str, Any]
Step = Body | Exception


def item(name: str, version: int) -> Body:
    return {"metadata": {"uid": f"uid-{name}", "name": name, "resourceVersion": str(version)}}


def event(kind: str, name: str, version: int) -> Body:
    return {"type": kind, "object": item(name, version)}


def page(version: int, *items: Body, more: str = "") -> Body:
    return {"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(items)}


class Script:
    """Answers lists and watches from two scripts, then stays silent; remembers what it was asked."""

    def __init__(self, lists: list[Step], watches: list[list[Step]]) -> None:
        self.lists = lists
        self.watches = watches
        self.asked: list[str] = []
        self.used_up = asyncio.Event()

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Body:
        self.asked.append(f"list {(params or {}).get('continue', '')}".strip())
        step = self.lists.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async def watch(self, path: str, params: Mapping[str, Any]) -> AsyncGenerator[Body, None]:
        self.asked.append(f"watch {params['resourceVersion']}")
        if not self.watches:
            self.used_up.set()
            await asyncio.Event().wait()
        for step in self.watches.pop(0):
            if isinstance(step, Exception):
                raise step
            yield step


def follow(script: Script, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Run the loop until the script is used up; return the names that it then knows."""
    monkeypatch.setattr(reflector, "SHORTEST_WATCH", 0.0)
    monkeypatch.setattr(reflector, "pause", lambda failures: 0.0)
    name: Callable[[Body], str] = lambda body: str(body["metadata"]["name"])  # noqa: E731
    copy: Reflector[str] = Reflector(script, "/pods", name, selector="a=b")  # type: ignore[arg-type]

    async def main() -> None:
        task = asyncio.create_task(copy.run())
        async with asyncio.timeout(5):
            await script.used_up.wait()
        assert not task.done(), "the loop ended"
        task.cancel()

    asyncio.run(main())
    assert copy.synced.is_set()
    return set(copy.items.values())


def test_it_lists_page_by_page_and_follows_events(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(
        [page(5, item("a", 1), more="next"), page(5, item("b", 2))],
        [[event("ADDED", "c", 6), event("MODIFIED", "b", 7), event("DELETED", "a", 8)]],
    )
    assert follow(script, monkeypatch) == {"b", "c"}
    assert script.asked == ["list", "list next", "watch 5", "watch 8"]


def test_a_stream_that_ends_goes_on_from_the_last_bookmark(monkeypatch: pytest.MonkeyPatch) -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "90"}}}
    script = Script([page(5, item("a", 1))], [[bookmark], [event("ADDED", "b", 91)]])
    assert follow(script, monkeypatch) == {"a", "b"}
    assert script.asked == ["list", "watch 5", "watch 90", "watch 91"]


def test_a_stream_that_breaks_after_an_event_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script([page(5)], [[event("ADDED", "a", 6), KubeError(0, "reset")], [event("ADDED", "b", 7)]])
    assert follow(script, monkeypatch) == {"a", "b"}
    assert script.asked == ["list", "watch 5", "watch 6", "watch 7"]


@pytest.mark.parametrize(
    "expired",
    [KubeError(410, "too old"), {"type": "ERROR", "object": {"code": 410, "message": "too old"}}],
    ids=["as a status", "in the stream"],
)
def test_an_expired_version_is_listed_anew_and_the_deleted_are_gone(
    monkeypatch: pytest.MonkeyPatch, expired: Step
) -> None:
    script = Script([page(5, item("a", 1), item("b", 2)), page(50, item("b", 2))], [[expired]])
    assert follow(script, monkeypatch) == {"b"}
    assert script.asked == ["list", "watch 5", "list", "watch 50"]


@pytest.mark.parametrize(
    "trouble",
    [
        KubeError(500, "etcd"),
        KubeError(504, "too large resource version"),
        {"type": "ERROR", "object": {"code": 500, "message": "in the stream"}},
        ValueError("chunk too big"),
    ],
)
def test_any_other_refusal_is_listed_anew(monkeypatch: pytest.MonkeyPatch, trouble: Step) -> None:
    script = Script([page(5, item("a", 1)), page(9, item("b", 8))], [[trouble]])
    assert follow(script, monkeypatch) == {"b"}


def test_an_api_server_that_is_away_is_asked_again_and_the_copy_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = KubeError(0, "connection refused")
    script = Script([away, away, page(5, item("a", 1))], [[away], [away], [event("ADDED", "b", 6)]])
    assert follow(script, monkeypatch) == {"a", "b"}
    assert script.asked == ["list"] * 3 + ["watch 5"] * 3 + ["watch 6"]


def test_pauses_grow_and_are_bounded() -> None:
    assert 0.25 <= pause(1) <= 0.5
    assert 15.0 <= pause(50) <= 30.0
