"""What `trainyard.run` gives back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    import pandas

    from trainyard.local.model import Model


@dataclass(frozen=True)
class Result:
    """A finished training.

    `metrics` carry their part (`val_`, `test_`, `oof_`); `evaluation` is the run's evaluation.json, with
    intervals, classes and baselines. `path` is the package's folder, there as long as this object; `save`
    keeps it.
    """

    metrics: Mapping[str, float]
    evaluation: Mapping[str, Any]
    run_id: str
    experiment_id: str
    tracking_uri: str
    model_uri: str
    model_sha256: str
    data_digest: str
    holdout_digest: str
    rows: int
    epochs: int
    best_epoch: int
    path: Path
    _folder: tempfile.TemporaryDirectory[str] = field(repr=False, compare=False)

    @cached_property
    def model(self) -> Model:
        """The model, loaded once."""
        from trainyard.local.model import Model

        return Model(self.path, keep=self._folder)

    def predict(self, rows: Any) -> pandas.DataFrame:
        """See `Model.predict`."""
        return self.model.predict(rows)

    def explain(self, rows: Any) -> pandas.DataFrame:
        """See `Model.explain`."""
        return self.model.explain(rows)

    def importance(self, rows: Any) -> pandas.DataFrame:
        """See `Model.importance`."""
        return self.model.importance(rows)

    def save(self, folder: str | Path) -> Path:
        """See `Model.save`."""
        return self.model.save(folder)

    def table(self) -> pandas.DataFrame:
        """The metrics as a frame: a row a metric, a column a part, and the test value's 95 % interval."""
        import pandas

        from trainyard.local.summary import metric_rows

        rows = [
            {
                "metric": r.name,
                "validation": r.validation,
                "out of fold": r.oof,
                "test": r.test,
                "test low": r.interval and r.interval[0],
                "test high": r.interval and r.interval[1],
                "baseline": r.baseline,
            }
            for r in metric_rows(self.metrics, self.evaluation)
        ]
        return pandas.DataFrame(rows).set_index("metric").dropna(axis="columns", how="all")

    @override
    def __repr__(self) -> str:
        shown = [n for n in self.metrics if n.startswith("test_")] or list(self.metrics)
        values = ", ".join(f"{name}={self.metrics[name]:.4f}" for name in shown[:4])
        return f"<trainyard result {values}; run {self.run_id}; {self.model_uri}>"
