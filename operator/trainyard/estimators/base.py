"""What the estimators share: parameters to a specification, and the trainer's own stages behind `fit`.

Nothing here trains or predicts by itself. `fit` is prepare -> assemble -> Fitter -> package, as in a pod, and
everything asked afterwards is asked of the package's Predictor.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted
from typing_extensions import override

from trainyard.api.base import InvalidManifest, camel
from trainyard.estimators.inputs import free_name, rows_of
from trainyard.local.attempt import local_attempt
from trainyard.local.isolation import torch_settings_kept
from trainyard.local.manifest import training_job
from trainyard_model import write_package
from trainyard_model.errors import ModelInputError
from trainyard_trainer.assembly import assemble
from trainyard_trainer.data.frame import table_from_frame
from trainyard_trainer.data.prepare import prepare
from trainyard_trainer.errors import DataError, InvalidSpec
from trainyard_trainer.fit.checkpoint import State
from trainyard_trainer.fit.loop import Epoch
from trainyard_trainer.package.build import build_package
from trainyard_trainer.resolve import Job, resolve

_SEEDS = 2**31 - 1
_BATCH, _BATCHES, _SMALLEST = 1024, 8, 16
_EXPLAINED_ROWS = 1000


@dataclass(eq=False, repr=False, kw_only=True)
class Estimator(BaseEstimator):  # type: ignore[misc]
    """Parameters of every family; a family's estimators add its own.

    Attributes:
        epochs: Passes over the training rows, at most.
        batch_size: Rows of one step; None means 1024, or an eighth of the rows where those are fewer.
        learning_rate: Step size; None means the family's own.
        optimizer: adam, adamw, sgd, rmsprop or adadelta.
        weight_decay: L2 penalty, decoupled for adamw.
        early_stopping: End when rows set aside for validation see nothing better; keep the best epoch.
        patience: Epochs without anything better before that end.
        validation_fraction: Share of the rows set aside, only with early_stopping.
        categorical_features: Columns to take as categories although they hold numbers; texts always are.
        random_state: Seed of the weights, of the order of rows and of the rows set aside.
    """

    epochs: int = 50
    batch_size: int | None = None
    learning_rate: float | None = None
    optimizer: str = "adam"
    weight_decay: float = 0.0
    early_stopping: bool = False
    patience: int = 10
    validation_fraction: float = 0.1
    categorical_features: Sequence[str | int] | None = None
    random_state: Any = None

    family: ClassVar[str]
    _task: ClassVar[str]

    def explain(self, X: Any) -> pandas.DataFrame:
        """How much each column had to do with each row's prediction, a column each; see `trainyard.load`."""
        found = pandas.DataFrame(self._asked("explain", X))
        return found.set_axis(X.index, axis="index") if isinstance(X, pandas.DataFrame) else found

    def save(self, folder: str | Path) -> Path:
        """Write the package, for `trainyard.load` and `trainyard serve`.

        Raises:
            InvalidSpec: Something else lies in the folder.
        """
        check_is_fitted(self)
        target = Path(folder)
        if target.exists() and any(target.iterdir()):
            raise InvalidSpec(f"{target} is not empty", "name a new folder")
        write_package(self._predictor.package, target)
        return target

    @override
    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def _train(self, X: Any, targets: pandas.DataFrame, data: Mapping[str, Any], sample_weight: Any) -> Self:
        """Fit on X and named targets; `data` holds what the specification's data section says of them."""
        rows = rows_of(self, X, reset=True)
        if len(rows) < 2:
            raise DataError("n_samples = 1: nothing can be learned from one row", "pass more rows")
        targets = targets.set_axis([free_name(str(n), rows.columns) for n in targets.columns], axis="columns")
        frame = pandas.concat([rows, targets], axis="columns")
        named = list(targets.columns)
        section = {**data, **({"target": named[0]} if len(named) == 1 else {"targets": named})}
        columns: dict[str, Any] = {"categorical": self._categorical(rows)}
        if sample_weight is not None:
            columns["weight"] = free_name("weight", frame.columns)
            frame[columns["weight"]] = _check_sample_weight(sample_weight, X, dtype=np.float64)
        job = self._job({**section, "columns": columns}, len(rows))
        table, notices = table_from_frame(frame)
        with torch_settings_kept(), tempfile.TemporaryDirectory(prefix="trainyard-") as folder:
            prepared = prepare(table, job.data, notices)
            network, fitter = assemble(job, prepared)
            hooks = _History()
            fitter.run(hooks)
            self._predictor, _ = build_package(job.family, network, prepared, Path(folder) / "package")
            self.history_ = hooks.epochs
            self.n_iter_ = fitter.selection.best_epoch
        train = prepared.rows.train
        self._sample = rows.iloc[train[:: max(1, len(train) // _EXPLAINED_ROWS)][:_EXPLAINED_ROWS]]
        self._importances = np.empty(0)
        return self

    @property
    def feature_importances_(self) -> np.ndarray[Any, Any]:
        """Share of each column of X over (at most 1000 of) the training rows, kept for it; they sum to 1.

        Computed when first asked for, because a search over many fits never asks. A column that could not be
        used, such as an identifier, has none.
        """
        check_is_fitted(self)
        if not self._importances.size:
            shares = self._predictor.importance(self._sample)
            self._importances = np.array([shares.get(name, 0.0) for name in self._sample.columns])
        return self._importances

    def _job(self, data: Mapping[str, Any], rows: int) -> Job:
        """The parameters as people would write them in a manifest, checked and resolved as one."""
        own = {f.name for f in fields(Estimator)} | {"class_weight"}
        family = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in own}
        seed = int(check_random_state(self.random_state).randint(_SEEDS))
        share = self.validation_fraction if self.early_stopping else 0.0
        spec = {
            "model": {self.family: {camel(name): _plain(value) for name, value in family.items()}},
            "data": {**data, "task": self._task, "split": {"validation": share, "test": 0.0, "seed": seed}},
            "training": {
                "epochs": self.epochs,
                "batchSize": self.batch_size or max(_SMALLEST, min(_BATCH, rows // _BATCHES)),
                "optimizer": {
                    "name": self.optimizer,
                    "learningRate": self.learning_rate,
                    "weightDecay": self.weight_decay,
                },
                "earlyStopping": {"patience": self.patience} if self.early_stopping else None,
                "seed": seed,
            },
        }
        try:
            manifest = training_job(spec, "estimator", in_memory=True)
        except InvalidManifest as error:
            raise InvalidSpec(str(error), f"correct the parameters of {type(self).__name__}") from None
        return resolve(local_attempt(manifest, "none", "estimator"))

    def _categorical(self, rows: pandas.DataFrame) -> list[str]:
        names = list(rows.columns)
        wanted = self.categorical_features
        return [] if wanted is None else [c if isinstance(c, str) else names[int(c)] for c in wanted]

    def _rows(self, X: Any) -> pandas.DataFrame:
        check_is_fitted(self)
        return rows_of(self, X, reset=False)

    def _scores(self, X: Any) -> np.ndarray[Any, Any]:
        return np.asarray(self._asked("scores", X))

    def _asked(self, question: str, X: Any) -> Any:
        rows = self._rows(X)
        try:
            return getattr(self._predictor, question)(rows)
        except ModelInputError as error:
            raise DataError(str(error), "pass rows like those of fit") from None


class _History:
    """The loop's hooks, where nothing is shown and nothing is kept but the metrics."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []

    def stopping(self) -> bool:
        """Never: an interrupt ends the whole call."""
        return False

    def epoch_done(self, epoch: Epoch) -> None:
        """Remember the metrics."""
        self.epochs.append(dict(epoch.metrics))

    def save(self, state: State, epoch: int) -> None:
        """Nothing to go on from."""

    def say(self, text: str) -> None:
        """Nobody listens."""


def _plain(value: Any) -> Any:
    """Numbers of searches are NumPy's."""
    return value.item() if isinstance(value, np.generic) else value
