"""The API's fields about texts as the data stage's settings; what does not apply is refused by name."""

from __future__ import annotations

from trainyard.api.data import Data
from trainyard.api.text import Normalise, TextData, Tokenizer, Vectors
from trainyard_trainer.data.settings import Inputs, Side, SourceSettings, TextSettings, VectorSettings
from trainyard_trainer.errors import InvalidSpec

_SIDES: dict[str, Side] = {"Start": "start", "End": "end"}


def text_settings(data: Data, width: int | None, mounted: str | None) -> TextSettings:
    """How texts become tokens.

    Args:
        data: The section.
        width: Numbers of a token in the model.
        mounted: Where the vectors are found, if there are any.
    """
    text = data.text or TextData()
    normalise = text.normalise or Normalise()
    return TextSettings(
        tokenizer=text.tokenizer.value,
        vocabulary_size=text.vocabulary_size,
        max_length=text.max_length,
        padding=_SIDES[text.padding.value],
        truncation=_SIDES[text.truncation.value],
        stop_words=text.stop_words,
        lower=normalise.lower,
        contractions=normalise.contractions,
        strip_apostrophes=normalise.strip_apostrophes,
        drop_unknown_symbols=normalise.drop_unknown_symbols,
        vectors=_vectors(text.vectors, mounted),
        width=width,
    )


def _vectors(vectors: Vectors | None, mounted: str | None) -> VectorSettings | None:
    if vectors is None or mounted is None:
        return None
    return VectorSettings(SourceSettings(mounted, vectors.sha256), vectors.trainable)


def refuse_texts(data: Data, inputs: Inputs | None) -> None:
    """Fields about texts of a model that reads none, and the other way round.

    Raises:
        InvalidSpec: There is one.
    """
    columns, text = data.columns, data.text
    if inputs not in ("text", None):
        if text is not None:
            raise InvalidSpec("data.text: this model reads no texts", "remove it, or use model.lstm")
        if columns is not None and columns.text:
            raise InvalidSpec(
                "data.columns.text: this model reads no texts",
                "name the column in data.columns.drop or data.columns.categorical, or use model.lstm",
            )
        return
    if columns is not None and len(columns.text) > 1:
        raise InvalidSpec(
            f"data.columns.text names {len(columns.text)} columns; the model reads one", "name one of them"
        )
    if text is not None and text.vectors is not None and text.tokenizer is Tokenizer.BPE:
        raise InvalidSpec(
            "data.text.vectors are of words, but data.text.tokenizer is BPE, which makes pieces of them",
            "set data.text.tokenizer: Word, or leave out the vectors",
        )
    for name in ("numeric", "categorical"):
        if inputs == "text" and columns is not None and getattr(columns, name):
            raise InvalidSpec(
                f"data.columns.{name}: the model reads one column of texts and nothing else",
                "remove it, or use a model for tables such as model.tabnet",
            )
