"""The coalescer: few writes, none lost. Time is a list with one number."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from trainyard.coordinator.coalesce import Coalescer

INTERVAL = 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def fresh() -> tuple[Clock, Coalescer[str, int]]:
    clock = Clock()
    return clock, Coalescer(INTERVAL, clock)


def test_first_value_is_out_at_once_and_the_second_waits() -> None:
    clock, values = fresh()
    values.put("a", 1)
    assert values.take() == [("a", 1)]
    values.done("a")
    values.put("a", 2)
    values.put("a", 3)
    assert values.take() == []
    assert values.next_due() == clock.now + INTERVAL
    clock.now += INTERVAL
    assert values.take() == [("a", 3)]


def test_a_final_value_does_not_wait() -> None:
    clock, values = fresh()
    values.put("a", 1)
    values.take()
    values.done("a")
    clock.now += 1
    values.put("a", 2)
    values.put("a", 50, now=True)
    assert values.take() == [("a", 50)]
    values.done("a")
    assert values.next_due() is None


def test_a_patient_first_value_gives_way_to_one_that_says_more() -> None:
    clock, values = fresh()
    values.put("a", 0, patience=3)
    assert values.take() == []
    clock.now += 2
    values.put("a", 1)
    assert values.take() == [("a", 1)]
    values.done("a")
    values.put("a", 2, patience=3)
    assert values.next_due() == clock.now + INTERVAL, "patience is for the very first value alone"


def test_a_patient_first_value_goes_out_alone_when_nothing_comes() -> None:
    clock, values = fresh()
    values.put("a", 0, patience=3)
    clock.now += 1
    values.put("a", 1, patience=3)
    assert values.next_due() == clock.now + 2
    clock.now += 2
    assert values.take() == [("a", 1)]
    values.done("a")
    values.put("a", 2)
    assert values.take() == [], "the interval counts from what was written"


def test_a_key_that_is_out_is_not_handed_out_again() -> None:
    clock, values = fresh()
    values.put("a", 1)
    values.take()
    clock.now += 5 * INTERVAL
    values.put("a", 2, now=True)
    assert values.take() == []
    values.done("a")
    assert values.take() == [("a", 2)]


def test_a_failed_value_waits_again_unless_a_newer_one_does() -> None:
    clock, values = fresh()
    values.put("a", 1)
    values.take()
    values.failed("a", 1)
    assert values.take() == []
    clock.now += INTERVAL
    assert values.take() == [("a", 1)]
    values.put("a", 2)
    values.failed("a", 1)
    clock.now += INTERVAL
    assert values.take() == [("a", 2)]


def test_everything_is_taken_at_the_end() -> None:
    _, values = fresh()
    values.put("a", 1)
    values.take()
    values.done("a")
    values.put("a", 2)
    values.put("b", 1)
    assert dict(values.take(everything=True)) == {"a": 2, "b": 1}
    assert len(values) == 0


def test_idle_keys_are_forgotten_and_dropped_keys_stay_silent() -> None:
    clock, values = fresh()
    values.put("a", 1)
    values.take()
    values.drop("a")
    values.done("a")
    values.put("b", 1)
    values.take()
    values.done("b")
    values.forget_idle()
    values.put("b", 2)
    assert values.take() == [], "a key within its interval must not be forgotten"
    clock.now += INTERVAL
    assert values.take() == [("b", 2)]
    values.done("b")
    clock.now += INTERVAL
    values.forget_idle()
    assert not values._entries


KEYS = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.floats(0, 7)),
        st.tuples(st.just("final"), KEYS, st.floats(0, 7)),
        st.tuples(st.just("patient"), KEYS, st.floats(0, 7)),
        st.tuples(st.just("take"), st.sampled_from([True, False]), st.floats(0, 7)),
        st.tuples(st.just("forget"), st.none(), st.floats(0, 30)),
    ),
    max_size=80,
)


@given(STEPS)
def test_last_value_is_always_written_and_never_more_than_one_an_interval(
    steps: list[tuple[str, object, float]],
) -> None:
    """Only a value marked final may come early; what is written last is what was put last."""
    clock, values = fresh()
    put: dict[str, int] = {}
    written: dict[str, list[tuple[float, int]]] = {}
    finals: dict[str, list[float]] = {}

    def take(succeed: bool) -> None:
        for key, value in values.take():
            if succeed:
                written.setdefault(key, []).append((clock.now, value))
                values.done(key)
            else:
                values.failed(key, value)

    for number, (what, argument, wait) in enumerate(steps):
        clock.now += wait
        if what == "take":
            take(bool(argument))
        elif what == "forget":
            values.forget_idle()
        else:
            assert isinstance(argument, str)
            put[argument] = number
            if what == "final":
                finals.setdefault(argument, []).append(clock.now)
            values.put(argument, number, now=what == "final", patience=3.0 if what == "patient" else 0.0)
    while (due := values.next_due()) is not None:
        clock.now = max(clock.now, due)
        take(True)

    assert {key: history[-1][1] for key, history in written.items()} == put
    for key, history in written.items():
        assert [value for _, value in history] == sorted({value for _, value in history})
        for (before, _), (after, _) in itertools.pairwise(history):
            early = any(before <= final <= after for final in finals.get(key, []))
            assert after - before >= INTERVAL - 1e-6 or early  # sums of random floats
