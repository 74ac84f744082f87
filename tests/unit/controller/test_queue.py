"""The queue's promises, on an event loop whose clock moves only while everybody sleeps: always exact."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from trainyard.controller.kube import Unavailable
from trainyard.controller.queue import WorkQueue

WINDOW = 0.1


class VirtualLoop(asyncio.SelectorEventLoop):
    """Where nothing is ready, the clock jumps to what is due next."""

    def __init__(self) -> None:
        self._passed = 0.0
        super().__init__()
        wait = self._selector.select  # type: ignore[attr-defined]

        def select(timeout: float | None) -> object:
            self._passed += timeout or 0.0
            return wait(0)

        self._selector.select = select  # type: ignore[attr-defined]

    def time(self) -> float:
        """Seconds slept so far."""
        return self._passed


class Worker:
    """Work that remembers when it ran."""

    def __init__(self, *, takes: float = 0.0, answers: list[float | Exception | None] | None = None) -> None:
        self.runs: list[tuple[str, float]] = []
        self.active: dict[str, int] = {}
        self.overlaps = 0
        self.takes = takes
        self.answers = answers or []

    async def __call__(self, key: str) -> float | None:
        self.runs.append((key, asyncio.get_running_loop().time()))
        self.active[key] = self.active.get(key, 0) + 1
        self.overlaps += self.active[key] > 1
        await asyncio.sleep(self.takes)
        self.active[key] -= 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


def play(
    worker: Worker, script: Callable[[WorkQueue[str]], Awaitable[None]], *, concurrency: int = 4
) -> list[float]:
    """Run a script against a queue; the result is when the worker ran, in seconds after the start."""

    async def main() -> list[float]:
        queue: WorkQueue[str] = WorkQueue(worker, concurrency=concurrency, window=WINDOW)
        start = asyncio.get_running_loop().time()
        runner = asyncio.create_task(queue.run())
        await script(queue)
        runner.cancel()
        with pytest.raises(asyncio.CancelledError):
            await runner
        return [when - start for _, when in worker.runs]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


def test_first_event_of_an_idle_key_runs_at_once() -> None:
    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(0.05)

    assert play(Worker(), script)[0] == 0.0


def test_events_within_the_window_are_taken_together() -> None:
    async def script(queue: WorkQueue[str]) -> None:
        for _ in range(20):
            queue.add("a")
            await asyncio.sleep(0.005)
        await asyncio.sleep(WINDOW * 2)

    times = play(Worker(), script)
    assert 2 <= len(times) <= 3
    assert times[1] - times[0] == pytest.approx(WINDOW)


def test_a_key_never_runs_twice_at_a_time_and_late_news_are_not_lost() -> None:
    worker = Worker(takes=0.15)

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(0.05)
        queue.add("a")
        queue.add("a")
        await asyncio.sleep(0.5)

    assert len(play(worker, script)) == 2
    assert worker.overlaps == 0


def test_keys_run_beside_each_other() -> None:
    worker = Worker(takes=0.1)

    async def script(queue: WorkQueue[str]) -> None:
        for key in "abcd":
            queue.add(key)
        await asyncio.sleep(0.15)

    assert max(play(worker, script)) == 0.0


def test_new_keys_go_before_news_of_old_ones() -> None:
    worker = Worker(takes=0.02)

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("old")
        await asyncio.sleep(WINDOW * 1.5)
        queue.add("busy")
        await asyncio.sleep(0.005)
        queue.add("old")
        queue.add("new")
        await asyncio.sleep(0.1)

    play(worker, script, concurrency=1)
    assert [key for key, _ in worker.runs] == ["old", "busy", "new", "old"]


def test_due_date_comes_and_an_event_comes_before_it() -> None:
    worker = Worker(answers=[0.3, None, 0.3])

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(0.45)
        queue.add("b")
        await asyncio.sleep(0.15)
        queue.add("b")
        await asyncio.sleep(0.05)

    times = play(worker, script)
    assert times[1] - times[0] == pytest.approx(0.3)
    assert times[3] - times[2] == pytest.approx(0.15)


def test_failures_back_off_and_recover(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainyard.controller.queue.BACKOFF_FIRST", 0.1)
    worker = Worker(answers=[ValueError("x"), ValueError("x"), None])

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(0.6)

    times = play(worker, script)
    assert len(times) == 3
    assert times[1] - times[0] == pytest.approx(0.1)
    assert times[2] - times[1] == pytest.approx(0.2)


def test_retry_after_is_honoured() -> None:
    worker = Worker(answers=[Unavailable("slow down", code=429, retry_after=0.7), None])

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(0.6)
        assert len(worker.runs) == 1
        await asyncio.sleep(0.3)

    assert len(play(worker, script)) == 2


def test_one_failing_key_does_not_hold_up_others() -> None:
    worker = Worker(answers=[ValueError("x")])

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("bad")
        queue.add("good")
        await asyncio.sleep(0.1)

    play(worker, script, concurrency=1)
    assert [key for key, _ in worker.runs] == ["bad", "good"]


def test_forgotten_keys_leave_nothing_behind() -> None:
    worker = Worker(answers=[9.0])

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(0.05)
        queue.forget("a")
        assert not queue._entries
        queue.add("a")
        await asyncio.sleep(0.05)

    assert len(play(worker, script)) == 2
