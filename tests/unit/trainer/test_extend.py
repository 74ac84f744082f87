"""The distribution of docs/howto/extend.md: a family, a step and a callback, in one job and its package."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.unit.trainer.jobs import Quiet, job, store
from trainyard_model import FAMILIES, ModelInputError, PackageError, Predictor
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import folds, prepare, understand
from trainyard_trainer.errors import DataError, InvalidSpec
from trainyard_trainer.package.build import build_package
from trainyard_trainer.runner import run_job
from trainyard_trainer.stop import StopRequest

HOWTO = Path(__file__).parents[3] / "docs" / "howto"
PAGE = (HOWTO / "extend.md").read_text()
STEP = {"name": "ratios", "parameters": {"of": "mean area", "to": "mean radius"}}
NAME = "mean area by mean radius"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[Path]:
    """Installed as pip would: the module, and the metadata with the entry points of the page."""
    project = tomllib.loads(blocks(PAGE, "toml")[0])["project"]
    site = tmp_path / "site"
    info = site / "acme_trainyard-1.0.dist-info"
    info.mkdir(parents=True)
    family = blocks((HOWTO / "add-a-family.md").read_text(), "python")[0]
    code = "\n".join(blocks(PAGE, "python")) + family.replace("from __future__ import annotations\n", "")
    (site / "acme_trainyard.py").write_text(code)
    name, version = project["name"], project["version"]
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points))
    sys.path.insert(0, str(site))
    yield site
    if str(site) in sys.path:
        sys.path.remove(str(site))
    sys.modules.pop("acme_trainyard", None)
    FAMILIES._found.pop("additive", None)


@pytest.mark.usefixtures("acme")
def test_the_job_of_the_page_runs(mlflow_template: Path, tmp_path: Path) -> None:
    spec = yaml.safe_load(blocks(PAGE, "yaml")[0])["spec"]
    one = job(
        store(mlflow_template, tmp_path),
        tmp_path,
        model={"tabnet": None, **spec["model"]},
        data=spec["data"],
        training={**spec["training"], "batchSize": 128},
        tracking={"report": True},
    )
    result, outcome = run_job(one, tmp_path / "w", Quiet(), StopRequest())
    assert result.exit_code == 0, result
    assert result.epochs is not None
    assert result.epochs < 60  # the callback has had enough
    predictor = Predictor.load(tmp_path / "w" / "package")
    table = json.loads((tmp_path / "w" / "report" / "features.json").read_text())
    assert NAME in [row[0] for row in table["data"]]  # the report is about what the model reads
    assert outcome.evaluation is not None
    assert NAME not in [column.name for column in predictor.schema.columns]  # requests have raw columns
    manifest = json.loads((tmp_path / "w" / "package" / "package.json").read_text())
    (step,) = manifest["preprocessor"]["steps"]
    assert (step["name"], step["distribution"]) == ("ratios", "acme-trainyard==1.0")
    assert set(step["state"]) == {"of", "to", "usual"}


def prepared(tmp_path: Path, *steps: dict[str, Any], **data: Any) -> Any:
    source = {"uri": "sample://breast_cancer"}
    one = job("sqlite:///unused", tmp_path, data={"source": source, "preprocess": list(steps), **data})
    return one, prepare(load(one.data, tmp_path)[0], one.data)


def build(tmp_path: Path, *steps: dict[str, Any]) -> tuple[Any, Predictor]:
    """A package of an untrained network."""
    _, data = prepared(tmp_path, *steps)
    network = FAMILIES["mlp"].build(
        FAMILIES["mlp"].config(FAMILIES["mlp"].settings(layers=0), data.preprocessor.shape())
    )
    predictor, _ = build_package("mlp", network, data, tmp_path / "package")
    return data, predictor


@pytest.mark.usefixtures("acme")
def test_a_step_is_fitted_on_training_rows_and_applied_to_all(tmp_path: Path) -> None:
    data, predictor = build(tmp_path, STEP)
    raw = data.raw(data.rows.test)
    inner = data.preprocessor.inner
    assert NAME in inner.schema.features
    train = data.raw(data.rows.train)
    assert data.preprocessor.steps[0].step.usual == pytest.approx(
        np.median(train["mean area"] / train["mean radius"])
    )
    at = inner.schema.features.index(NAME)
    assert data.train.inputs[0].shape[1] == 31
    assert np.abs(data.train.inputs[0][:, at].mean()) < 1e-5  # standardised after the step
    known = Predictor.load(tmp_path / "package")
    assert np.array_equal(known.scores(raw), predictor.scores(raw))
    listed = {name: values.tolist() for name, values in raw.items()}
    assert np.array_equal(known.scores(listed), predictor.scores(raw))
    assert NAME in known.explain(raw)
    assert sum(known.importance(raw).values()) == pytest.approx(1.0)
    raw["mean radius"] = np.zeros(len(raw["mean radius"]))
    assert np.isfinite(known.scores(raw)).all()


@pytest.mark.usefixtures("acme")
def test_every_fold_fits_its_own_step(tmp_path: Path) -> None:
    one, _ = prepared(tmp_path, STEP, split={"folds": 3})
    usual = {
        fold.data.preprocessor.steps[0].step.usual  # type: ignore[attr-defined]
        for fold in folds(understand(load(one.data, tmp_path)[0], one.data))
    }
    assert len(usual) == 3


def test_without_the_distribution_it_says_what_to_install(tmp_path: Path, acme: Path) -> None:
    build(tmp_path, STEP)
    sys.path.remove(str(acme))
    with pytest.raises(PackageError, match=r"step 'ratios' .* install acme-trainyard==1.0"):
        Predictor.load(tmp_path / "package")


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("step", "kind", "message"),
    [
        ({"name": "ratio"}, InvalidSpec, "nothing installed here registers 'ratio' .* 'ratios'"),
        ({"name": "ratios"}, InvalidSpec, "ratios: .*missing 2 required positional arguments"),
        ({"name": "ratios", "parameters": {"of": "x", "to": "y"}}, DataError, "'ratios' cannot be fitted"),
    ],
)
def test_a_step_that_cannot_work_is_named(
    tmp_path: Path, step: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=f"data.preprocess: .*{message}"):
        prepared(tmp_path, step)


@pytest.mark.usefixtures("acme")
def test_a_request_that_a_step_cannot_take_is_the_requests_fault(tmp_path: Path) -> None:
    data, predictor = build(tmp_path, STEP)
    raw = data.raw(data.rows.test[:2])
    del raw["mean area"]
    with pytest.raises(ModelInputError, match="missing column 'mean area'"):
        predictor.scores(raw)
