"""What docs/howto shows works: the notebook's code runs as it stands, and every command is one of ours."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.unit.trainer.jobs import store
from trainyard.cli import app

HOWTO = Path(__file__).parents[3] / "docs" / "howto"
FEWER = {'"epochs": 20': '"epochs": 2', "epochs=20": "epochs=1"}


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (HOWTO / name).read_text(), re.MULTILINE | re.DOTALL)


def test_the_notebook_runs_from_top_to_bottom(
    mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store(mlflow_template, tmp_path)
    cells = blocks("notebook.md", "python")
    assert len(cells) == 5
    variables: dict[str, Any] = {}
    for cell in cells:
        code = cell
        for slow, quick in FEWER.items():
            code = code.replace(slow, quick)
        exec(compile(code, "notebook.md", "exec"), variables)
    out = capsys.readouterr().out
    assert "data.target: the data have no column 'diagnosis'" in out
    assert set(variables["result"].evaluation["test"]["roc_auc"]) == {"value", "low", "high"}
    assert (tmp_path / "breast-cancer-model" / "package.json").is_file()


@pytest.mark.parametrize("name", ["compare-and-rerun.md"])
def test_commands_are_ones_that_exist(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HOWTO.parents[1])
    commands = typer.main.get_command(app)
    shown = [shlex.split(line) for block in blocks(name, "sh") for line in block.splitlines()]
    assert shown
    for program, command, *arguments in shown:
        assert program == "trainyard"
        known = commands.commands[command]  # type: ignore[attr-defined]
        known.make_context(command, list(arguments))
