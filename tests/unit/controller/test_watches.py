"""What the requests of the watches tell about them."""

from __future__ import annotations

import asyncio

import kopf

from trainyard.controller.watches import GRACE, SERVER_TIMEOUT, TracedSession, Watches

JOBS, PODS = "/apis/batch/v1/namespaces/a/jobs", "/api/v1/namespaces/a/pods"


class Clock:
    """A clock that a test turns."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _open(clock: Clock, *paths: str) -> Watches:
    watches = Watches(len(paths), 70.0, clock)
    for path in paths:
        watches.asked(path)
        watches.opened(path)
    return watches


def test_all_have_to_be_up_once() -> None:
    watches = _open(Clock(), JOBS, PODS)
    assert watches.trouble() == ""
    watches.forget()
    watches.asked(JOBS)
    watches.opened(JOBS)
    assert watches.trouble() == "the watches are not up yet"


def test_a_watch_that_is_not_answered_is_told_after_a_while() -> None:
    clock = Clock()
    watches = _open(clock, JOBS, PODS)
    watches.asked(PODS)
    clock.now += GRACE
    assert watches.trouble() == ""
    watches.asked(PODS)  # the next try does not begin a new time
    clock.now += 1
    assert f"1 of 2 watches are down, {PODS} for 21 s" in watches.trouble()
    watches.opened(PODS)
    assert watches.trouble() == ""


def test_a_watch_that_nobody_opens_anew_is_told() -> None:
    clock = Clock()
    watches = _open(clock, JOBS, PODS)
    clock.now += SERVER_TIMEOUT
    watches.asked(JOBS)
    watches.opened(JOBS)
    clock.now += 70 + GRACE + 1
    assert f"1 of 2 watches are down, {PODS} for 691 s" in watches.trouble()


def test_impatience_with_a_watch_is_no_longer_than_with_its_silence() -> None:
    clock = Clock()
    watches = Watches(1, 2.0, clock)
    watches.opened(JOBS)
    watches.asked(JOBS)
    clock.now += 2.5
    assert "1 of 1 watches are down" in watches.trouble()


def test_sessions_with_the_same_credentials_are_equal() -> None:
    """By this kopf knows that a new login brought nothing new, and does not try it over and over."""

    async def main() -> None:
        infos = [kopf.ConnectionInfo(server="https://x", token=token) for token in ("a", "a", "b")]
        sessions = [TracedSession.of(info, Watches(1, 1.0).trace()) for info in infos]
        for session in sessions:
            await session.aiohttp_session.close()
        assert sessions[0] == sessions[1]
        assert sessions[0] != sessions[2]

    asyncio.run(main())
