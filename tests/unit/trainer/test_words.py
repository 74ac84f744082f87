"""Texts to tokens: what a word is, how it is cleaned, and that training and serving cut texts alike."""

from __future__ import annotations

import numpy as np
import pytest

from trainyard_model.words import RAW, UNKNOWN, Normalise, Words, is_symbol
from trainyard_trainer.data import tokenizer
from trainyard_trainer.data.corpus import Corpus
from trainyard_trainer.data.table import Texts

ALL = Normalise(lower=True, contractions=True, strip_apostrophes=True, drop_unknown_symbols=True)
TEXTS = (
    "Don't stop: it's Blair's £10m!",
    "",
    "   \n\t ",
    "stop stop STOP",
    "cafe\u0301 – naïve ’tis O’Brien’s",
    "日本語のテキスト 123,456.7 a_b",
    "!!! ???",
    "can't won't shan't ain't let's they'll I'm we've you're he'd John's it’s",
)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("Don't", ["do", "not"]),
        ("can't", ["can", "not"]),
        ("WON'T", ["will", "not"]),
        ("shan’t", ["shall", "not"]),
        ("it's", ["it", "is"]),
        ("let's", ["let", "us"]),
        ("they'll", ["they", "will"]),
        ("Blair's", ["blair"]),
        ("o'clock", ["o"]),
        ("cafe\u0301", ["café"]),
        ("x", ["x"]),
        ("£", ["£"]),
        ("'", ["'"]),
    ],
)
def test_clean_up(raw: str, words: list[str]) -> None:
    assert ALL.words(raw) == words


def test_each_clean_up_is_one_of_its_own() -> None:
    assert Normalise().words("Don't") == ["Don't"]
    assert Normalise(lower=True).words("Don't") == ["don't"]
    assert Normalise(contractions=True).words("Don't") == ["Do", "not"]
    assert Normalise(contractions=True).words("Blair's") == ["Blair's"]
    assert Normalise(strip_apostrophes=True).words("Don't") == ["Don"]
    assert Normalise(stop_words=frozenset({"the", "don't"})).words("The") == []
    assert Normalise(stop_words=frozenset({"not"}), contractions=True).words("don't") == ["do"]
    assert Normalise(stop_words=frozenset({"don't"}), contractions=True).words("Don’t") == []


def test_what_is_stored_reads_back() -> None:
    given = Normalise(True, False, True, False, frozenset({"a", "the"}))
    assert Normalise.from_json(given.to_json()) == given
    assert given.to_json()["stop_words"] == ["a", "the"]


def corpus(texts: tuple[str, ...] = TEXTS) -> Corpus:
    return Corpus.of(Texts(texts, np.array([*range(len(texts)), -1], dtype=np.int32)))


@pytest.mark.parametrize("normalise", [Normalise(), ALL], ids=["raw", "clean"])
@pytest.mark.parametrize(("kind", "at_a_time"), [("words", 1 << 20), ("words", 9), ("pieces", 1)])
def test_training_cuts_texts_as_serving_does(
    kind: str, at_a_time: int, normalise: Normalise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainyard_trainer.data.corpus._AT_A_TIME", at_a_time)
    found = corpus()
    rows = np.arange(len(TEXTS))
    made = (
        tokenizer.of_words(["stop", "not", "it", "is", "STOP", "£"])
        if kind == "words"
        else tokenizer.of_pieces(found, rows, normalise, 60)
    )
    words = Words(made, normalise)
    tokens = found.encode([words.tokens_of(raw) for raw in found.words])
    for row, text in enumerate(TEXTS):
        start, end = tokens.starts[row], tokens.starts[row + 1]
        assert tokens.values[start:end].tolist() == words.ids(text)
    assert tokens.lengths(np.array([1, 2, len(TEXTS)])).tolist() == [1, 1, 1]
    assert words.ids("") == [UNKNOWN]
    assert max(tokens.values) < words.vocabulary
    raw = [word for text in (*TEXTS, TEXTS[0]) for word in RAW.findall(text)]
    counts = found.counts(np.array([*rows, 0, len(TEXTS)]))
    assert counts.tolist() == [raw.count(word) for word in found.words]


def test_padding_and_cutting_at_either_side() -> None:
    words = Words(tokenizer.of_words(["a", "b", "c", "d"]), Normalise())
    found = corpus(("a b c d", "b", ""))
    tokens = found.encode([words.tokens_of(raw) for raw in found.words])
    rows = np.arange(4)
    end = [[2, 3, 4], [3, 0, 0], [1, 0, 0], [1, 0, 0]]
    assert tokens.padded(rows, 3, "end", "end").tolist() == end
    start = [[3, 4, 5], [0, 0, 3], [0, 0, 1], [0, 0, 1]]
    assert tokens.padded(rows, 3, "start", "start").tolist() == start
    assert tokens.padded(rows[1:], 3, "end", "end").shape == (3, 1)
    assert tokens.padded(rows[:0], 3, "end", "end").shape == (0, 1)


def test_spans_say_where_in_the_text_a_word_stands() -> None:
    words = Words(tokenizer.of_words(["do", "not", "stop"]), ALL)
    text = "Please DON’T – stop."
    found = [(text[start:end], tokens) for start, end, tokens in words.spans(text)]
    assert found == [("Please", (1,)), ("DON’T", (2, 3)), ("stop", (4,))]
    assert [token for _, _, tokens in words.spans(text) for token in tokens] == words.ids(text)


def test_unknown_symbols_are_left_out_and_known_ones_are_not() -> None:
    made = tokenizer.of_words(["!", "a"])
    assert Words(made, Normalise(drop_unknown_symbols=True)).ids("a ! ? ☃ zz") == [3, 2, UNKNOWN]
    assert Words(made, Normalise()).ids("a ! ?") == [3, 2, UNKNOWN]
    assert [w for w in "a_1é?☃" if is_symbol(w)] == ["?", "☃"]


def test_a_text_cannot_name_a_reserved_token() -> None:
    words = Words(tokenizer.of_words(["a"]), Normalise())
    assert set(words.ids("[PAD] [UNK]")) == {UNKNOWN}


def test_what_a_server_meets_is_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainyard_model.words._REMEMBERED", 10)
    words = Words(tokenizer.of_words(["w3"]), Normalise())
    found = words.ids(" ".join(f"w{i}" for i in range(100)) + " " + "x" * 1000)
    assert [i for i, token in enumerate(found) if token == 2] == [3]
    assert len(words._known) <= 10
    assert max(map(len, words._known)) < 10


def test_tokenizers_are_the_same_each_time() -> None:
    assert len({tokenizer.of_words([f"w{i}" for i in range(50)]) for _ in range(3)}) == 1
    text = " ".join(f"low lower lowest new newer wide wider word{i % 7}" for i in range(40))
    found = corpus((text,))
    made = [tokenizer.of_pieces(found, np.array([0]), Normalise(), 50) for _ in range(3)]
    assert made[0] == made[1] == made[2]
    words = Words(made[0], Normalise())
    assert words.vocabulary <= 52
    assert "".join(map(words.token, words.ids("newest"))) == "newest"


def test_a_raw_word_holds_together() -> None:
    assert RAW.findall("don't 'quoted' e-mail 3.5 rock’n’roll") == [
        *("don't", "'", "quoted", "'", "e", "-", "mail", "3", ".", "5", "rock’n’roll")
    ]
