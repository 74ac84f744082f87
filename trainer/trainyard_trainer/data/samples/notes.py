"""Notes that customers might write, and the desk that each belongs to: texts to learn from without a file.

A note has one to twelve sentences. Most speak of its topic or of nothing; others name a second topic only to
say that all is well there, with that topic's nouns, so that counting words misleads where reading does not.
Some notes are short enough to repeat, some words are misspelt, and a few notes lie on the wrong desk.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainyard_trainer.data.samples import draw
from trainyard_trainer.data.table import Table, Texts

TARGET = "desk"
DESKS = ("accounts", "deliveries", "invoices", "repairs")
HARD, MISFILED = 0.25, 0.02
_SENTENCES = (1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 9, 12)
_PER_SENTENCE = 4  # draws of a sentence: what it is, which words, which noun, a slip of the pen


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for phrase in text.split("|"))


_NOUNS = {
    "accounts": _phrases(
        """the password | my login | the e-mail address | my user name | the account | my profile | the
        app's sign-in page | the confirmation code | two-step login | my phone number"""
    ),
    "deliveries": _phrases(
        """the parcel | my order | the courier | the tracking number | the delivery date | the package
        | the pick-up shop | the shipping address | the box | the missing items"""
    ),
    "invoices": _phrases(
        """the invoice | my bill | the refund | the payment | the direct debit | the discount | the
        credit note | the amount | my bank card | the receipt"""
    ),
    "repairs": _phrases(
        """the screen | the battery | the charger | the engine | the hinge | the display | the power
        button | the cable | the fan | the warranty repair"""
    ),
}
_OWN = {
    "accounts": _phrases(
        """I can't sign in any more. | It says my details aren't known. | Somebody else has logged in!
        | The link in your mail has expired. | I'd like to close it for good. | Resetting it didn't
        help."""
    ),
    "deliveries": _phrases(
        """Nobody rang, nobody left a card. | It was promised for Tuesday. | It's been at the depot for
        9 days. | My neighbour hasn't got it either. | The van drove past twice. | Half of it never
        arrived."""
    ),
    "invoices": _phrases(
        """You've charged me twice. | I was quoted £40, not £65. | The VAT isn't shown. | The money
        still hasn't come back. | I paid on the 3rd, as agreed. | My accountant won't accept it."""
    ),
    "repairs": _phrases(
        """It won't switch on. | There's a loud rattle. | It gets hot after 10 minutes. | It fell apart
        in my hands. | Sparks came out of it! | It worked for a week, then died."""
    ),
}
_WRONG = _phrases(
    """I have a problem with {}. | Please look into {}. | Something's wrong with {}. | Could you check
    {} again? | I'm still waiting for news about {}. | {} needs sorting out. | My question is about
    {}. | Nobody could help me with {}."""
)
_WELL = _phrases(
    """{} is fine now, thank you. | I have no complaint about {}. | There was trouble with {}, but
    that's solved. | This isn't about {}. | You sorted out {} last month. | No need to look into {}
    again. | I was happy with {}. | Don't worry about {}."""
)
_FILLER = _phrases(
    """Hello, | Good morning! | I've been a customer for years. | Thanks in advance. | Kind regards, J.
    | I called twice and held for 25 minutes. | My reference is #{n}. | It isn't the first time. |
    Please answer soon. | Your colleague was very friendly, though. | I'm writing from abroad. | See
    also my note of last week. | I don't know whom else to ask. | THIS IS URGENT!!! | Otherwise I
    like your shop :-) | P.S. my number hasn't changed."""
)


def make(rows: int, seed: int, part: str) -> Table:
    """A text and its desk."""
    at = np.arange(rows, dtype=np.uint64)
    desk = draw.below(at, seed, 0, len(DESKS))
    other = (desk + 1 + draw.below(at, seed, 1, len(DESKS) - 1)) % len(DESKS)
    size = np.array(_SENTENCES)[draw.below(at, seed, 2, len(_SENTENCES))]
    hard = draw.uniform(at, seed, 3) < HARD
    longest = max(_SENTENCES)
    chance = np.stack([draw.uniform(at, seed, 10 + i) for i in range(longest * _PER_SENTENCE)], axis=1)
    chance = chance.reshape(rows, longest, _PER_SENTENCE)
    number: dict[str, int] = {}
    codes = np.empty(rows, dtype=np.int32)
    for row in range(rows):
        drawn = chance[row, : size[row]]
        text = _note(DESKS[desk[row]], DESKS[other[row]], bool(hard[row]), drawn)
        codes[row] = number.setdefault(text, len(number))
    filed = np.where(draw.uniform(at, seed, 4) < MISFILED, other, desk)
    return Table({"note": Texts(tuple(number), codes), TARGET: Texts(DESKS, filed.astype(np.int32))}, rows)


def _note(desk: str, other: str, hard: bool, chance: NDArray[np.float64]) -> str:
    """One note; the sentence that decides stands somewhere in it."""
    decisive = int(chance[0, 0] * len(chance))
    return " ".join(
        _sentence(desk, other, hard, i == decisive, each) for i, each in enumerate(chance.tolist())
    )


def _sentence(desk: str, other: str, hard: bool, decisive: bool, chance: list[float]) -> str:
    kind, which, noun, slip = chance
    if decisive:
        said = _WRONG if hard or kind < 0.5 else _OWN[desk]
        topic = desk
    elif kind < 0.45:
        said, topic = _FILLER, desk
    elif hard:
        said, topic = _WELL, other
    else:
        said, topic = (_OWN[desk] if kind < 0.7 else _WRONG if kind < 0.9 else _WELL), desk
        if said is _WELL:
            topic = other
    nouns = _NOUNS[topic]
    sentence = said[int(which * len(said))].format(nouns[int(noun * len(nouns))], n=int(noun * 1e6))
    sentence = sentence[:1].upper() + sentence[1:]
    return _misspelt(sentence, slip * 8.0) if slip < 0.125 else sentence


def _misspelt(sentence: str, where: float) -> str:
    """Two neighbouring letters of a sentence changed about."""
    at = 1 + int(where * max(1, len(sentence) - 3))
    return sentence[:at] + sentence[at + 1 : at + 2] + sentence[at : at + 1] + sentence[at + 2 :]
