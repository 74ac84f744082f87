"""The family of docs/howto/add-a-family.md, registered as it says: trained, packaged, read, conforming."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.unit.serving.training import trained
from tests.unit.trainer import test_families as conformance
from tests.unit.trainer.jobs import job
from trainyard_model import FAMILIES, Predictor
from trainyard_trainer.data.load import load
from trainyard_trainer.data.prepare import prepare
from trainyard_trainer.errors import InvalidSpec
from trainyard_trainer.package.build import build_package

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "add-a-family.md"


@pytest.fixture
def additive(tmp_path: Path) -> Iterator[None]:
    """Installed: a module, and the metadata of a distribution that registers it."""
    site = tmp_path / "site"
    info = site / "additive-1.0.dist-info"
    info.mkdir(parents=True)
    code = PAGE.read_text().partition("```python\n")[2].partition("```")[0]
    (site / "additive_family.py").write_text(code)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: additive\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trainyard.families]\nadditive = additive_family:FAMILY\n")
    sys.path.insert(0, str(site))
    yield
    sys.path.remove(str(site))
    sys.modules.pop("additive_family", None)
    FAMILIES._found.pop("additive", None)


@pytest.mark.usefixtures("additive")
def test_the_example_trains_and_its_package_answers(tmp_path: Path) -> None:
    model = {"tabnet": None, "custom": {"family": "additive", "parameters": {"squares": "false"}}}
    one = job("sqlite:///unused", tmp_path, model=model, training={"epochs": 40})
    data = prepare(load(one.data, tmp_path)[0], one.data)
    network = trained(one, data)
    assert not network.config.squares  # type: ignore[attr-defined]
    folder = tmp_path / "package"
    built, _ = build_package(one.family, network, data, folder)
    rows = data.raw(data.rows.test)
    found = Predictor.load(folder).scores(rows)
    assert np.array_equal(found, built.scores(rows))
    assert (found.argmax(1) == data.target.values[data.rows.test]).mean() > 0.85
    assert sum(Predictor.load(folder).importance(rows).values()) == pytest.approx(1.0)


@pytest.mark.usefixtures("additive")
@pytest.mark.parametrize("kind", ["mixed", "categorical"])
def test_the_example_conforms(kind: str) -> None:
    shape = conformance.SHAPES["table"][kind]
    conformance.test_a_config_survives_json("additive", {}, shape)
    conformance.test_backward_gives_the_gradients_of_the_training_loss("additive", {}, shape, True)
    conformance.test_a_row_is_answered_alike_in_any_company("additive", {}, shape)
    conformance.test_missing_and_unseen_values_are_answered_and_explained("additive", {}, shape)


@pytest.mark.usefixtures("additive")
@pytest.mark.parametrize(
    ("custom", "message"),
    [
        ({"family": "additiv"}, "nothing installed here registers 'additiv' under trainyard.families"),
        ({"family": "additive", "parameters": {"square": "1"}}, "additive has no 'square'; did you mean"),
        ({"image": "x"}, "runs its own image"),
    ],
)
def test_what_is_not_registered_is_told(tmp_path: Path, custom: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        job("sqlite:///unused", tmp_path, model={"tabnet": None, "custom": custom})


def test_without_the_distribution_there_is_no_such_family() -> None:
    assert "additive" not in FAMILIES
    assert {"mlp", "tabnet"} <= set(FAMILIES)
