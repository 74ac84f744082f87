"""Poker hands, dealt and labelled by the rules: five of 52 cards in the order dealt, ten classes.

The columns, classes and the over-sampling of the two rarest hands are those of UCI's Poker Hand data set
(Cattral and Oppacher, 2002); the hands are our own. `part=train` and `part=test` never share a hand, whatever
the seeds: a hand belongs to one of them by its hash.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.identity import mix
from trainyard_trainer.data.samples import draw
from trainyard_trainer.data.table import Table, Texts, Values

SUITS = ("hearts", "spades", "diamonds", "clubs")
RANKS = ("ace", "2", "3", "4", "5", "6", "7", "8", "9", "10", "jack", "queen", "king")
HANDS = (
    "nothing",
    "one pair",
    "two pairs",
    "three of a kind",
    "straight",
    "flush",
    "full house",
    "four of a kind",
    "straight flush",
    "royal flush",
)
TARGET = "hand"
_STRAIGHT_FLUSH, _ROYAL_FLUSH = 8, 9
_RARE_SHARE = 5 / 25_010  # of each of the two, in UCI's training file
_DECK, _HELD = 52, 5
_BLOCK = 1 << 18

Cards = NDArray[np.int64]
"""(hands, 5), each 0..51: suit * 13 + rank."""


def make(rows: int, seed: int, part: str) -> Table:
    """Hands of one part; in `train` the two rarest hands are dealt more often than chance would."""
    hands = _fresh(rows, seed, part)
    if part == "train":
        extra = max(1, round(rows * _RARE_SHARE)) if rows >= 1_000 else 0
        for number, label in enumerate((_STRAIGHT_FLUSH, _ROYAL_FLUSH)):
            rare = _rare(extra, seed, label)
            hands[_spread(rows, extra, number)] = rare
    return table(hands)


def table(hands: Cards) -> Table:
    """Suit and rank of each card as categories, and the label as the last column."""
    columns: dict[str, Values] = {}
    for card in range(_HELD):
        columns[f"suit{card + 1}"] = Texts(SUITS, (hands[:, card] // 13).astype(np.int32))
        columns[f"rank{card + 1}"] = Texts(RANKS, (hands[:, card] % 13).astype(np.int32))
    columns[TARGET] = Texts(HANDS, label(hands).astype(np.int32))
    return Table(columns, len(hands))


def label(hands: Cards) -> NDArray[np.int64]:
    """0 nothing ... 9 royal flush, by the rules; the ace is low or high in a straight."""
    ranks = np.sort(hands % 13, axis=1)
    same = ranks[:, :, None] == ranks[:, None, :]
    pairs = (same.sum((1, 2)) - _HELD) // 2  # equal pairs of cards: 1, 2, 3, 4, 6
    flush = (hands // 13 == hands[:, :1] // 13).all(1)
    broadway = (ranks == np.array([0, 9, 10, 11, 12])).all(1)
    straight = (pairs == 0) & ((ranks[:, 4] - ranks[:, 0] == 4) | broadway)
    by_pairs = np.array([0, 1, 2, 3, 6, 0, 7])[pairs]
    return np.select(
        [flush & broadway, flush & straight, flush, straight],
        [np.int64(9), np.int64(8), np.int64(5), np.int64(4)],
        by_pairs,
    )


def deal(rows: NDArray[np.uint64], seed: int) -> Cards:
    """Five different cards each: card j is drawn from those that are left, as one would deal."""
    hands = np.empty((len(rows), _HELD), dtype=np.int64)
    for j in range(_HELD):
        card = draw.below(rows, seed, j, _DECK - j)
        for held in np.sort(hands[:, :j], axis=1).T:
            card += card >= held
        hands[:, j] = card
    return hands


def is_test(hands: Cards) -> NDArray[np.bool_]:
    """Whether a hand, in the order dealt, is for tests."""
    number = np.zeros(len(hands), dtype=np.uint64)
    for card in hands.T:
        number = number * np.uint64(_DECK) + card.astype(np.uint64)
    return np.asarray(mix(number) % np.uint64(2) == 0)


def _fresh(rows: int, seed: int, part: str) -> Cards:
    """The first so many hands of a part, in blocks."""
    found: list[Cards] = []
    count = start = 0
    while count < rows:
        hands = deal(np.arange(start, start + _BLOCK, dtype=np.uint64), seed)
        found.append(hands[is_test(hands) == (part == "test")])
        count, start = count + len(found[-1]), start + _BLOCK
    return np.concatenate(found)[:rows]


def _rare(count: int, seed: int, kind: int) -> Cards:
    """Straight flushes or royal flushes for training, in any order of the cards."""
    rows = np.arange(8 * count + 64, dtype=np.uint64)
    low = np.full(len(rows), 9) if kind == _ROYAL_FLUSH else draw.below(rows, seed, 10 + kind, 9)
    suit = draw.below(rows, seed, 20 + kind, 4)
    ranks = (low[:, None] + np.arange(_HELD)) % 13
    mixed = np.stack([draw.words(rows, seed, 30 + 10 * kind + j) for j in range(_HELD)], axis=1)
    hands = np.take_along_axis(suit[:, None] * 13 + ranks, np.argsort(mixed, axis=1), axis=1)
    return hands[~is_test(hands)][:count]


def _spread(rows: int, count: int, number: int) -> NDArray[np.int64]:
    """Places for `count` hands, evenly through the file."""
    return ((np.arange(count) + 0.25 + 0.5 * number) * rows / max(count, 1)).astype(np.int64)
