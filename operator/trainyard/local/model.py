"""A trained model in Python: data frames in, data frames out."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas
from typing_extensions import override

from trainyard.local.models import resolve
from trainyard_model import Predictor
from trainyard_model.errors import ModelInputError, PackageError
from trainyard_trainer.errors import DataError, InvalidSpec


class Model:
    """A loaded package. Rows are data frames with the columns of `inputs`, in any order; others are ignored.

    Args:
        folder: A package folder.
        keep: Something that must live as long as the folder is needed, such as a temporary folder's owner.
    """

    def __init__(self, folder: Path, keep: object = None) -> None:
        self.folder, self._keep = folder, keep
        try:
            self._predictor = Predictor.load(folder)
        except PackageError as error:
            raise DataError(str(error), "use a package folder, or a model that Trainyard logged") from None

    @property
    def inputs(self) -> dict[str, str]:
        """Columns that rows must have, and the role of each: numeric, categorical, text or image."""
        return {column.name: column.role for column in self._predictor.schema.columns}

    @property
    def classes(self) -> list[Any]:
        """Labels in the order of their probabilities; none for a regression."""
        return list(self._predictor.schema.classes)

    def predict(self, rows: Any) -> pandas.DataFrame:
        """`prediction`, and for classes one `probability_<class>` each; indexed like `rows`.

        Raises:
            DataError: A column is missing, or a cell cannot be read.
        """
        return self._frame(self._predictor.predict, rows)

    def explain(self, rows: Any) -> pandas.DataFrame:
        """How much each column had to do with each row's answer, a column each.

        For TabNet the weight of its masks, at least 0; for others integrated gradients, signed. A cell is a
        number; for texts a list of words, each with its `text`, where it `start`s and `end`s in the cell, and
        its `weight`; for images an array (height, width).

        Raises:
            DataError: As `predict`.
        """
        return self._frame(self._predictor.explain, rows)

    def importance(self, rows: Any) -> pandas.DataFrame:
        """How much each column, or each word of texts, counts over all rows, largest first, as shares of 1.

        Raises:
            DataError: As `predict`; or the model reads images, whose pixels mean another thing in each.
        """
        kind = self._predictor.package.preprocessor.kind
        if kind == "image":
            raise DataError(
                "no part of an image counts the same in all", "use explain, which tells the pixels"
            )
        shares = self._asked(self._predictor.importance, rows)
        name = "word" if kind == "text" else "column"
        frame = pandas.DataFrame({name: list(shares), "importance": list(shares.values())})
        return frame.sort_values("importance", ascending=False, ignore_index=True)

    def save(self, folder: str | Path) -> Path:
        """Copy the package to a folder, which must be empty or new; it is what `trainyard serve` takes.

        Raises:
            InvalidSpec: Something else lies there.
        """
        target = Path(folder)
        if target.exists() and any(target.iterdir()):
            raise InvalidSpec(f"{target} is not empty", "name a new folder")
        shutil.copytree(self.folder, target, dirs_exist_ok=True)
        return target

    @override
    def __repr__(self) -> str:
        schema = self._predictor.schema
        targets = ", ".join(schema.targets)
        return f"<{self._predictor.package.family} model: {len(schema.columns)} columns -> {targets}>"

    def _frame(self, ask: Any, rows: Any) -> pandas.DataFrame:
        index = rows.index if isinstance(rows, pandas.DataFrame) else None
        answer = self._asked(ask, rows)
        found = {name: list(v) if getattr(v, "ndim", 1) > 1 else v for name, v in answer.items()}
        return pandas.DataFrame(found, index=index)

    def _asked(self, ask: Any, rows: Any) -> Any:
        try:
            return ask(rows)
        except ModelInputError as error:
            wanted = ", ".join(list(self.inputs)[:8]) + (", ..." if len(self.inputs) > 8 else "")
            raise DataError(str(error), f"the model takes the columns {wanted}") from None


def load(model: str | Path, tracking_uri: str | None = None) -> Model:
    """Load a model that Trainyard trained.

    Args:
        model: A package folder, `models:/m-...`, `models:/NAME/VERSION`, `runs:/RUN` or a run's id.
        tracking_uri: MLflow; MLFLOW_TRACKING_URI or the SQLite file of this folder where silent.

    Raises:
        TrainyardError: There is none, or MLflow cannot be reached.
    """
    scratch = tempfile.TemporaryDirectory(prefix="trainyard-")
    return Model(resolve(str(model), tracking_uri, Path(scratch.name)).folder, keep=scratch)
