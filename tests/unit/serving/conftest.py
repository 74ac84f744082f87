"""A small real package, and one server that many tests ask."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.unit.serving.servers import TOKEN, Running, start, tokens

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: tests share the machine with other work


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by what builds every package, from a network trained for a moment: numbers, categories, gaps."""
    from tests.unit.trainer.jobs import job
    from trainyard_trainer.data.load import load
    from trainyard_trainer.data.prepare import prepare
    from trainyard_trainer.package.build import build_package

    folder = tmp_path_factory.mktemp("package")
    random = np.random.default_rng(0)
    lines = ["age,zone,job,y"]
    for i in range(400):
        age, zone, work = random.integers(18, 90), random.integers(1, 5), ("clerk", "pilot", "?")[i % 3]
        lines.append(f"{age if i % 7 else ''},{zone},{work},{'yes' if age > 50 or work == 'pilot' else 'no'}")
    (folder / "d.csv").write_text("\n".join(lines) + "\n")
    data = {
        "source": {"uri": str(folder / "d.csv")},
        "target": "y",
        "columns": {"categorical": ["zone"]},
    }
    one = job("sqlite:///unused", folder, data=data, training={"epochs": 2})
    prepared = prepare(load(one.data, folder)[0], one.data)
    from tests.unit.serving.training import trained

    network = trained(one, prepared)
    build_package("tabnet", network, prepared, folder / "package")
    return folder / "package"


@pytest.fixture
def package(built: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    shutil.copytree(built, tmp_path / "package")
    return tmp_path / "package"


@pytest.fixture(scope="session")
def server(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A ready server with a token and small limits."""
    folder = tmp_path_factory.mktemp("server")
    running = start(
        built,
        folder,
        tokens_dir=tokens(folder / "tokens", TOKEN, "another"),
        max_body_bytes=4000,
        max_rows=20,
        max_concurrency=3,
    )
    running.wait()
    yield running
    running.child.stop()
