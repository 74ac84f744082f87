"""Texts on their way into a training: what can be kept from one fold to the next is made once."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from trainyard_model.schema import Schema
from trainyard_trainer.data import cleaning
from trainyard_trainer.data.corpus import Corpus
from trainyard_trainer.data.fit_text import FittedText, fit_text
from trainyard_trainer.data.settings import TextSettings, VectorSettings
from trainyard_trainer.data.source import fetch
from trainyard_trainer.data.split import Parts
from trainyard_trainer.data.table import Texts
from trainyard_trainer.data.vectors import FIELD, Vectors, read_vectors
from trainyard_trainer.errors import DataError, JobError


@dataclass(slots=True)
class TextReader:
    """Fits the texts of a table.

    Attributes:
        settings: How texts become tokens.
        seed: Of what is drawn: where words start that have no vector.
        folder: Where a download of vectors may be put; it is removed once it is read.
    """

    settings: TextSettings
    seed: int
    folder: Path | None = None
    _column: Texts | None = field(init=False, default=None)
    _corpus: Corpus | None = field(init=False, default=None)
    _vectors: Vectors | None = field(init=False, default=None)

    def fit(self, column: Texts, schema: Schema, parts: Parts) -> FittedText:
        """What training takes of a column.

        Raises:
            JobError: As `fit_text`; or the vectors cannot be fetched or read.
        """
        corpus = self._corpus
        if corpus is None or column is not self._column:
            self._column, self._corpus = column, (corpus := Corpus.of(column))
            if self.settings.vectors is not None:
                self._vectors = self._read(corpus, self.settings.vectors)
        return fit_text(corpus, schema, parts, self.settings, self._vectors, self.seed)

    def _read(self, corpus: Corpus, settings: VectorSettings) -> Vectors:
        """Vectors of every word that the corpus may have once it is cleaned.

        Of all rows, so that the file is read once for all folds; the vocabulary is of training rows alone.
        """
        ways = cleaning.possible(self.settings)
        wanted = frozenset(word for raw in corpus.words for way in ways for word in way.words(raw))
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            try:
                path = fetch(settings.source, Path(scratch), lambda size, uri: None)
            except JobError as error:
                error.remedy = error.remedy.replace("data.source", FIELD)
                raise
            if path.is_dir():
                raise DataError(f"{path} is a folder", f"name a file in {FIELD}.uri")
            return read_vectors(path, wanted, self.settings.width)
