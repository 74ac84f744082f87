"""The split by hash: stable, exact enough, and never through a group of equal rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainyard_trainer.data.identity import mix
from trainyard_trainer.data.settings import SplitSettings
from trainyard_trainer.data.split import RANKED_BELOW, Parts, fraction, split


def hashes(rows: int, start: int = 0) -> NDArray[np.uint64]:
    return mix(np.arange(start, start + rows, dtype=np.uint64))


def part_of(parts: Parts, rows: int) -> NDArray[np.int64]:
    out = np.full(rows, -1)
    for number, members in enumerate((parts.train, parts.validation, parts.test)):
        out[members] = number
    assert (out >= 0).all()
    assert len(parts.train) + len(parts.validation) + len(parts.test) == rows
    return out


def labels(rows: int) -> NDArray[np.int64]:
    return np.zeros(rows, dtype=np.int64)


@given(st.integers(0, 2**32 - 1), st.integers(0, 5000))
@settings(max_examples=20, deadline=None)
def test_rows_keep_their_part_as_data_grow(seed: int, more: int) -> None:
    few, many, how = RANKED_BELOW, RANKED_BELOW + more, SplitSettings(0.2, 0.1, seed)
    before = part_of(split(hashes(few), labels(few), how), few)
    after = part_of(split(hashes(many), labels(many), how), many)
    assert (after[:few] == before).all()


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), min_size=3, max_size=300),
    st.floats(0.0, 0.45),
    st.floats(0.0, 0.45),
)
@settings(max_examples=80, deadline=None)
def test_equal_rows_never_part(rows: list[tuple[int, int]], validation: float, test: float) -> None:
    identity = mix(np.array([content for content, _ in rows], dtype=np.uint64))
    classes = np.array([label for _, label in rows])
    parts = part_of(split(identity, classes, SplitSettings(validation, test)), len(rows))
    for content in np.unique(identity):
        assert len(set(parts[identity == content])) == 1


@pytest.mark.parametrize("rows", [300, 569, 9_999, 10_000, 50_000])
def test_shares_are_what_was_asked(rows: int) -> None:
    parts = split(hashes(rows), np.arange(rows) % 3, SplitSettings(0.15, 0.1))
    tolerance = 3 / rows if rows < RANKED_BELOW else 4 * (0.15 * 0.85 / rows) ** 0.5
    assert len(parts.test) / rows == pytest.approx(0.1, abs=tolerance)
    assert len(parts.validation) / rows == pytest.approx(0.15, abs=tolerance)


def test_small_tables_keep_the_classes_balanced() -> None:
    classes = np.array([0] * 90 + [1] * 10)
    parts = split(hashes(100), classes, SplitSettings(0.2, 0.2))
    for members in (parts.validation, parts.test):
        assert (classes[members] == 1).sum() == 2
        assert (classes[members] == 0).sum() == 18


def test_a_class_of_three_is_in_every_part() -> None:
    classes = np.array([0] * 97 + [1] * 3)
    parts = split(hashes(100), classes, SplitSettings(0.1, 0.1))
    assert [(classes[p] == 1).sum() for p in (parts.train, parts.validation, parts.test)] == [1, 1, 1]


def test_order_does_not_matter_and_the_seed_does() -> None:
    identity, how = hashes(2000), SplitSettings(0.2, 0.2, 1)
    turned = np.random.default_rng(0).permutation(2000)
    plain = part_of(split(identity, labels(2000), how), 2000)
    assert (part_of(split(identity[turned], labels(2000), how), 2000) == plain[turned]).all()
    other = part_of(split(identity, labels(2000), SplitSettings(0.2, 0.2, 2)), 2000)
    assert (other != plain).mean() > 0.3


def test_no_test_rows_when_none_are_asked_for() -> None:
    parts = split(hashes(50), labels(50), SplitSettings(0.0, 0.0))
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (50, 0, 0)


def test_a_fraction_grows_by_adding_rows() -> None:
    identity, rows = hashes(4000), np.arange(0, 4000, 2)
    small, large = (set(fraction(identity, rows, share, 0)) for share in (0.25, 0.5))
    assert small < large < set(rows)
    assert len(small) == pytest.approx(500, rel=0.15)
    assert fraction(identity, rows, 1.0, 0) is rows
