"""Programs that are not our trainer: one that follows the whole pod contract, one that only ends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from hack import deploy
from tests.support.cluster import Manifest, Namespace

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "own-program.md"


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", HOWTO.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def _job(name: str, **custom: object) -> Manifest:
    """The manifest of the how-to, with an image that this cluster has."""
    job: Manifest = yaml.safe_load(_block("yaml"))
    trainer = deploy.built()["trainer"]
    job["metadata"]["name"] = name
    job["spec"]["model"]["custom"] |= {"image": f"{trainer.repository}@{trainer.digest}", **custom}
    job["spec"]["compute"]["resources"] = {"requests": {"cpu": "50m"}}
    return job


def test_programs_of_the_users_own(namespace: Namespace) -> None:
    program = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "line"}}
    namespace.apply({**program, "data": {"fit.py": _block("python")}})
    namespace.apply(
        _job("line"),
        _job("wrong", parameters={"epochs": "0"}),
        _job("silent", command=["python", "-c", "print('nothing to report')"]),
    )
    line = namespace.finished("line")
    assert (line["state"], line["reason"]) == ("Succeeded", "Completed")
    assert line["metrics"]["slope"] == pytest.approx(3.0, abs=0.2)
    assert line["metrics"]["offset"] == pytest.approx(1.0, abs=0.2)
    assert line["progress"]["summary"] == "40/40"
    assert line["progress"]["metrics"]["train_loss"] == pytest.approx(line["metrics"]["train_loss"])
    wrong = namespace.finished("wrong")
    assert (wrong["state"], wrong["reason"]) == ("Failed", "InvalidSpec")
    assert wrong["lastFailure"]["remedy"] == "raise model.custom.parameters.epochs"
    silent = namespace.finished("silent")
    assert silent["state"] == "Succeeded"
    assert "was no result" in silent["message"]
