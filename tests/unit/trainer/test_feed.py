"""Batches of an epoch: every row once at most, texts with those of like length, and no token cut off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trainyard_trainer.data.encode import Part
from trainyard_trainer.fit import feed
from trainyard_trainer.fit.feed import DevicePart, batches, room

ROWS, MOST = 1000, 120


def texts(side: str, rows: int = ROWS, weighted: bool = True) -> Part:
    """Row i holds tokens of its own, i + 2 in all places, so that a batch tells which rows it has."""
    generator = np.random.default_rng(0)
    lengths = np.clip(generator.lognormal(3.5, 0.6, rows), 1, MOST).astype(np.int32)
    tokens = np.zeros((rows, MOST), dtype=np.int32)
    for i, length in enumerate(lengths):
        tokens[i, : length if side == "end" else None][-length:] = i + 2
    weight = np.arange(rows, dtype=np.float32) if weighted else None
    return Part((tokens,), np.arange(rows), weight, lengths)


def table(rows: int = ROWS) -> Part:
    return Part(
        (np.arange(rows, dtype=np.float32)[:, None], np.zeros((rows, 0), dtype=np.int64)), np.arange(rows)
    )


def epoch(part: DevicePart, size: int, seed: int = 3, first: int = 0) -> list[Any]:
    steps = len(part) // size
    order = part.order(size, steps, torch.Generator().manual_seed(seed))
    return list(batches(part, order, size, first, steps))


@pytest.mark.parametrize("side", ["start", "end"])
def test_texts_keep_all_their_tokens_and_their_weight(side: str) -> None:
    part = texts(side)
    seen = []
    for batch in epoch(DevicePart(part, "cpu"), 32):
        (tokens,) = batch.inputs
        assert part.lengths is not None
        np.testing.assert_array_equal((tokens != 0).sum(1), part.lengths[batch.target])
        assert ((tokens == 0) | (tokens == batch.target[:, None] + 2)).all()
        assert batch.weight is not None
        assert batch.weight.tolist() == batch.target.tolist()
        seen += batch.target.tolist()
    assert len(seen) == len(set(seen)) == ROWS // 32 * 32


def test_texts_of_like_length_meet_in_few_shapes_with_little_padding() -> None:
    part = texts("end")
    shapes, tokens, cells = set(), 0, 0
    for seed in range(3):
        for batch in epoch(DevicePart(part, "cpu"), 16, seed):
            shapes.add(batch.inputs[0].shape)
            tokens += int((batch.inputs[0] != 0).sum())
            cells += batch.inputs[0].numel()
    assert len(shapes) <= 16
    assert tokens / cells > 0.85
    assert tokens / (cells / np.mean([shape[1] for shape in shapes]) * MOST) < 0.5  # what whole rows would be


def test_an_epoch_has_an_order_of_its_own_and_leaves_out_rows_by_chance() -> None:
    part = DevicePart(texts("end"), "cpu")
    lengths = texts("end").lengths
    assert lengths is not None
    one, other = (torch.cat([b.target for b in epoch(part, 96, seed)]) for seed in (1, 2))
    assert not torch.equal(one, other)
    left = [sorted(set(range(ROWS)) - set(rows.tolist())) for rows in (one, other)]
    assert left[0] != left[1]
    assert lengths[left[0]].max() > np.median(lengths) > lengths[left[0]].min()
    # batches come in no order of length, so that the last steps of an epoch are not all of long texts
    shapes = [batch.inputs[0].shape[1] for batch in epoch(part, 16)]
    assert abs(np.corrcoef(shapes, np.arange(len(shapes)))[0, 1]) < 0.5


@pytest.mark.parametrize("make", [lambda: texts("start"), table], ids=["texts", "table"])
def test_an_epoch_can_be_taken_up_at_any_step(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_BLOCK_ROWS", 100)
    part = DevicePart(make(), "cpu")
    whole, rest = epoch(part, 32), epoch(part, 32, first=7)
    assert len(rest) == len(whole) - 7
    for a, b in zip(whole[7:], rest, strict=True):
        assert torch.equal(a.target, b.target)
        assert all(torch.equal(x, y) for x, y in zip(a.inputs, b.inputs, strict=True))


def test_a_table_is_shuffled_and_nothing_else() -> None:
    part = DevicePart(table(), "cpu")
    order = part.order(64, 15, torch.Generator().manual_seed(3))
    assert torch.equal(order, torch.randperm(ROWS, generator=torch.Generator().manual_seed(3))[:960])


@pytest.mark.parametrize(
    "lengths",
    [np.ones(5), np.full(9, MOST), np.arange(1, MOST + 1), np.array([1, 1, 1, 1, 117])],
    ids=["shortest", "longest", "all", "one-long"],
)
def test_room_is_enough_and_no_more_than_there_is(lengths: NDArray[Any]) -> None:
    lengths = lengths.astype(np.int32)
    rooms = room(lengths, MOST)
    assert (rooms >= lengths).all()
    assert rooms.max() <= MOST
    assert (np.sort(rooms) == rooms[np.argsort(lengths, kind="stable")]).all()
    assert rooms[lengths.argmin()] - lengths.min() < 16
