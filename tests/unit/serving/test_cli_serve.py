"""`trainyard serve` as people meet it: from a run to a prediction by pasting what was printed."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.support.processes import Child, free_port
from tests.unit.serving.servers import AUTHORISED, JSON, TOKEN, ask
from tests.unit.trainer.jobs import spec
from trainyard.local.models import resolve
from trainyard_trainer.errors import DataError, InvalidSpec

HEAD = {"apiVersion": "trainyard.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "bc"}}


def begin(folder: Path, *arguments: object) -> tuple[Child, str]:
    """Start it and wait for the command that it prints."""
    log = folder / "serve.log"
    log.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "trainyard", "serve", *map(str, arguments)]
    child = Child.start("serve", argv, log=log, env={"COLUMNS": "300"})
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = [line.strip() for line in log.read_text().splitlines() if line.strip().startswith("curl ")]
        if found and "\n" in log.read_text().partition("curl ")[2]:
            return child, found[0]
        child.check()
        time.sleep(0.1)
    raise AssertionError(child.tail())


def paste(command: str, folder: Path) -> dict[str, object]:
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, cwd=folder)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_from_a_run_to_a_prediction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.yaml").write_text(yaml.safe_dump({**HEAD, "spec": spec(training={"epochs": 1})}))
    trained = subprocess.run(
        [sys.executable, "-m", "trainyard", "run", "job.yaml"],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert trained.returncode == 0, trained.stderr
    printed = re.search(r"^  trainyard serve (models:/m-\w+)$", trained.stdout, re.MULTILINE)
    assert printed, trained.stdout
    port = free_port()
    child, command = begin(tmp_path, printed[1], "--port", port)
    answer = paste(command, tmp_path)
    assert (answer["model"], answer["version"]) == ("model", printed[1].removeprefix("models:/"))
    assert f"http://127.0.0.1:{port}/docs" in child.log.read_text()
    assert ask(port, "GET", "/docs").status == 200
    described = json.loads(ask(port, "GET", "/openapi.json").body)["paths"]["/predict"]["post"]
    example = described["requestBody"]["content"]["application/json"]["example"]
    assert example == json.loads(shlex.split(command)[-1])
    child.stop(sig=signal.SIGINT)
    assert child.process.returncode == 0, child.tail()

    run_id = re.search(r"runs/([0-9a-f]{32})", trained.stdout)
    assert run_id
    for named in (run_id[1], f"runs:/{run_id[1]}/model"):
        (tmp_path / "scratch").mkdir(exist_ok=True)
        found = resolve(named, None, tmp_path / "scratch")
        assert (found.name, found.version) == ("model", printed[1].removeprefix("models:/"))
        assert (found.folder / "package.json").is_file()
    with pytest.raises(DataError, match="models:/m-0 cannot be had from MLflow at sqlite"):
        resolve("models:/m-0", None, tmp_path)


def test_a_folder_with_a_token(built: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    port = free_port()
    child, command = begin(tmp_path, built, "--port", port, "--token-file", tmp_path / "token")
    try:
        relative = os.path.relpath(tmp_path / "token")
        assert f"Bearer $(cat {relative})" in command
        assert paste(command, Path.cwd())["version"] == "local"
        assert ask(port, "POST", "/predict", b"[]", JSON).status == 401
        assert ask(port, "POST", "/predict", b"[]", AUTHORISED).status == 200
        assert ask(port, "GET", "/docs").status == 404
        again = subprocess.run(
            [sys.executable, "-m", "trainyard", "serve", str(built), "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert again.returncode == 64
        assert f"port {port} of 127.0.0.1 cannot be had" in again.stderr
    finally:
        child.stop()


def test_a_refused_model_ends_the_command(package: Path, tmp_path: Path) -> None:
    manifest = json.loads((package / "package.json").read_text())
    manifest["expectedOutput"]["probability_yes"][0] += 0.5
    (package / "package.json").write_text(json.dumps(manifest))
    done = subprocess.run(
        [sys.executable, "-m", "trainyard", "serve", str(package), "--port", str(free_port())],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 65
    assert "the recorded outputs are not reproduced" in done.stderr


def test_what_names_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InvalidSpec, match="no folder and no model of MLflow"):
        resolve("nothing", None, tmp_path)
    with pytest.raises(DataError, match=r"holds no package\.json"):
        resolve(str(tmp_path), None, tmp_path)
    with pytest.raises(InvalidSpec, match=r"there is no mlflow\.db in this folder"):
        resolve("models:/m-1", None, tmp_path)
