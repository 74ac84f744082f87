"""Samples: rules of poker, formulas of Syn, fixed forever and the same everywhere."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray

from trainyard_trainer.data import samples
from trainyard_trainer.data.identity import data_digest, row_hashes
from trainyard_trainer.data.samples import poker, syn
from trainyard_trainer.data.table import Images, Numbers, Table, Texts
from trainyard_trainer.errors import InvalidSpec


def made(uri: str) -> Table:
    return samples.parse(uri).make()[0]


def cards(text: str) -> list[int]:
    """'AH 10S' as numbers."""
    ranks, suits = ["A", "2", "3", "4", "5", "6", "7", "8", "9", "10", "J", "Q", "K"], "HSDC"
    return [suits.index(card[-1]) * 13 + ranks.index(card[:-1]) for card in text.split()]


@pytest.mark.parametrize(
    ("hand", "name"),
    [
        ("2H 4S 6D 8C 10H", "nothing"),
        ("QH KH AH 2H 3S", "nothing"),  # a straight does not go round the corner
        ("2H 2S 6D 8C 10H", "one pair"),
        ("2H 2S 6D 6C 10H", "two pairs"),
        ("2H 2S 2D 8C 10H", "three of a kind"),
        ("5H 4S 3D 2C AH", "straight"),
        ("10H JS QD KC AH", "straight"),
        ("2H 4H 6H 8H 10H", "flush"),
        ("2H 2S 2D 8C 8H", "full house"),
        ("2H 2S 2D 2C 10H", "four of a kind"),
        ("AH 2H 3H 4H 5H", "straight flush"),
        ("10C AC KC JC QC", "royal flush"),
    ],
)
def test_hands_are_labelled_by_the_rules(hand: str, name: str) -> None:
    assert poker.HANDS[int(poker.label(np.array([cards(hand)]))[0])] == name


def test_every_hand_of_a_short_deck_is_labelled_as_counting_says() -> None:
    """All hands of ace to 7 in four suits, against the formulas of combinatorics."""
    deck = [suit * 13 + rank for suit in range(4) for rank in range(7)]
    hands = np.array(list(itertools.combinations(deck, 5)))
    counts = np.bincount(poker.label(hands), minlength=10)
    assert counts[1] == 7 * comb(4, 2) * comb(6, 3) * 4**3
    assert counts[2] == comb(7, 2) * comb(4, 2) ** 2 * 5 * 4
    assert counts[3] == 7 * comb(4, 3) * comb(6, 2) * 4**2
    assert counts[4] == 3 * (4**5 - 4)
    assert counts[5] == 4 * (comb(7, 5) - 3)
    assert counts[6] == 7 * comb(4, 3) * 6 * comb(4, 2)
    assert counts[7] == 7 * 24
    assert (counts[8], counts[9]) == (3 * 4, 0)


def numbers_of(table: Table) -> NDArray[np.int64]:
    suits = [table.columns[f"suit{i}"] for i in range(1, 6)]
    ranks = [table.columns[f"rank{i}"] for i in range(1, 6)]
    return np.stack(
        [
            s.codes * 13 + r.codes
            for s, r in zip(suits, ranks, strict=True)
            if isinstance(s, Texts) and isinstance(r, Texts)
        ],
        axis=1,
    ).astype(np.int64)


def test_dealt_hands_follow_chance_and_no_card_comes_twice() -> None:
    table = made("sample://poker?rows=60000&part=test")
    hands = numbers_of(table)
    assert (np.diff(np.sort(hands, axis=1), axis=1) > 0).all()
    assert np.bincount(hands.ravel(), minlength=52).std() < 3 * (60000 * 5 / 52) ** 0.5
    label = table.columns["hand"]
    assert isinstance(label, Texts)
    shares = np.bincount(label.codes, minlength=10) / 60000
    assert shares[:4] == pytest.approx([0.501177, 0.422569, 0.047539, 0.021128], abs=0.007)
    assert (np.array(poker.label(hands)) == label.codes).all()


def test_training_has_rare_hands_and_shares_none_with_the_test() -> None:
    train, test = made("sample://poker"), made("sample://poker?rows=60000&seed=7&part=test")
    label = train.columns["hand"]
    assert isinstance(label, Texts)
    assert train.rows == 25_010
    assert (np.bincount(label.codes)[8:] >= 5).all()  # by chance there would be 0.4 of both
    features = [name for name in train.columns if name != "hand"]
    assert not np.isin(row_hashes(train, features), row_hashes(test, features)).any()


def test_what_samples_hold_never_changes() -> None:
    """A digest in somebody's notes must stay true: data that change would be another data set."""
    found = {
        uri: data_digest(made(f"sample://{uri}"))[:12]
        for uri in (
            "poker?rows=2000",
            "syn1?rows=500",
            "syn4?rows=500&seed=3",
            "messy?rows=300",
            "notes?rows=300",
        )
    }
    assert found == {
        "poker?rows=2000": "a6947b17ee1a",
        "syn1?rows=500": "5b201128abcf",
        "syn4?rows=500&seed=3": "a918919e031e",
        "messy?rows=300": "92ed3d94e4a5",
        "notes?rows=300": "f4e57a08a229",
    }


@pytest.mark.parametrize("name", syn.NAMES)
def test_labels_follow_the_formula(name: str) -> None:
    table = made(f"sample://{name}?rows=20000&seed=1")
    x = matrix(table)
    y = table.columns["y"]
    assert isinstance(y, Texts)
    p = syn.probability(name, x)
    assert np.abs(x.mean(0)).max() < 0.03
    assert np.abs(x.std(0) - 1).max() < 0.03
    for low in np.arange(0.0, 1.0, 0.25):  # of rows with P about p, a share of about p is 'yes'
        rows = (p >= low) & (p < low + 0.25)
        assert y.codes[rows].mean() == pytest.approx(p[rows].mean(), abs=4 * (0.25 / rows.sum()) ** 0.5)


def matrix(table: Table) -> NDArray[np.float64]:
    columns = [table.columns[f"x{i}"] for i in range(1, 12)]
    return np.stack([c.values for c in columns if isinstance(c, Numbers)], axis=1)


@pytest.mark.parametrize("name", syn.NAMES)
def test_only_relevant_features_move_the_probability(name: str) -> None:
    x = matrix(made(f"sample://{name}?rows=300"))
    truth = syn.relevant(name, x)
    for feature in range(11):
        moved = x.copy()
        moved[:, feature] += 0.3 * np.sign(moved[:, feature])  # x11 stays on its side
        changed = syn.probability(name, moved) != syn.probability(name, x)
        expected = truth[:, feature] & (feature != 10)
        assert (changed <= expected).all()
        assert changed.sum() >= 0.9 * expected.sum()
    sizes = {"syn1": {2}, "syn2": {4}, "syn3": {4}, "syn4": {3, 5}, "syn5": {3, 5}, "syn6": {5}}
    assert set(truth.sum(1)) == sizes[name]


@pytest.mark.parametrize("uri", ["syn2", "messy", "notes"])
def test_a_larger_sample_begins_with_the_smaller(uri: str) -> None:
    if uri == "messy":  # whose last tenth differs on purpose
        small, large = made("sample://messy?rows=100").take(np.arange(90)), made("sample://messy?rows=1000")
        small = Table({k: v for k, v in small.columns.items() if k != "branch"}, 90)
    else:
        small, large = made(f"sample://{uri}?rows=90"), made(f"sample://{uri}?rows=1000")
    names = list(small.columns)
    assert (row_hashes(small, names) == row_hashes(large.take(np.arange(90)), names)).all()
    assert data_digest(made(f"sample://{uri}?seed=1&rows=90")) != data_digest(made(f"sample://{uri}?rows=90"))


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sample://pocker", "no sample 'pocker'; did you mean 'poker'"),
        ("sample://poker?row=5", "no option 'row'; did you mean 'rows'"),
        ("sample://poker?rows=many", "rows=many is no whole number from 1"),
        ("sample://poker?part=dev", "no part 'dev'"),
        ("sample://iris?rows=5", "iris has no option 'rows'"),
        ("sample://iris?as=image", "iris does not come as 'image'"),
        ("sample://digits?as=photo", "digits does not come as 'photo'"),
    ],
)
def test_addresses_that_name_no_sample(uri: str, message: str) -> None:
    with pytest.raises(InvalidSpec, match=message) as caught:
        samples.parse(uri)
    assert caught.value.remedy


def test_digits_come_as_images() -> None:
    images, table = made("sample://digits?as=image"), made("sample://digits")
    column = images.columns["image"]
    assert isinstance(column, Images)
    assert column.pixels.shape == (1797, 1, 8, 8)
    assert (column.pixels.min(), column.pixels.max()) == (0, 255)
    first = table.columns["pixel_0_2"]
    assert isinstance(first, Numbers)
    assert np.abs(column.pixels[:, 0, 0, 2] / 255 * 16 - first.values).max() < 0.04
    assert images.columns["label"].cells().tolist() == table.columns["target"].cells().tolist()


def test_notes_are_texts_that_counting_words_understands_in_part() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    table = made("sample://notes?rows=1200")
    note, desk = table.columns["note"], table.columns["desk"]
    assert isinstance(note, Texts)
    assert isinstance(desk, Texts)
    assert np.bincount(desk.codes).min() > 0.2 * table.rows
    lengths = [len(word.split()) for word in note.words]
    assert (min(lengths) < 8, max(lengths) > 60) == (True, True)
    assert 0.9 < len(note.words) / table.rows < 1.0  # some are said twice
    words = TfidfVectorizer()
    model = LogisticRegression().fit(words.fit_transform(note.cells()[:800]), desk.codes[:800])
    score = model.score(words.transform(note.cells()[800:]), desk.codes[800:])
    assert 0.65 < score < 0.88
