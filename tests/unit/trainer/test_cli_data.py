"""`trainyard data`: what a newcomer sees before training, with the exit codes of a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner, Result

from tests.unit.trainer.pictures import digits, files, write_folder, write_idx
from trainyard.cli import app

CSV = "age,job,note,y\n" + "".join(
    f"{20 + i / 4},{'clerk' if i % 3 else 'pilot'},text {i},{'yes' if i % 4 == 0 else 'no'}\n"
    for i in range(200)
)


def manifest(folder: Path, content: str = CSV, **data: object) -> str:
    (folder / "d.csv").write_text(content)
    body = {
        "apiVersion": "trainyard.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "d"},
        "spec": {"model": {"tabnet": {}}, "data": {"source": {"uri": str(folder / "d.csv")}, **data}},
    }
    (folder / "job.yaml").write_text(yaml.safe_dump(body))
    return str(folder / "job.yaml")


def show(file: str, *more: str, columns: int = 80) -> Result:
    return CliRunner(env={"COLUMNS": str(columns), "NO_COLOR": "1"}).invoke(app, ["data", file, *more])


@pytest.mark.parametrize("columns", [80, 120])
def test_all_that_training_would_see(tmp_path: Path, columns: int) -> None:
    result = show(manifest(tmp_path), columns=columns)
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert max(map(len, result.output.splitlines())) <= columns
    assert "rows 200 in 4 columns" in lines
    assert any(line.startswith("age numeric 200 20 to 69.75") for line in lines)
    assert any(line.startswith("job categorical 2 clerk 66%, pilot 34%") for line in lines)
    assert any(line.startswith("note left out 200 text 0, text 1") for line in lines)
    assert "no ████████████ 75.0% 120 15 15" in lines
    assert "yes ████ 25.0% positive 40 5 5" in lines
    assert any("'y' is predicted (the last column)" in line for line in lines)
    assert any(line.startswith("✓ ready to train") for line in lines)
    assert sum(len(line.split()[-1]) == 64 for line in lines if line) == 3  # the pin and both digests


def test_a_change_is_shown(tmp_path: Path) -> None:
    result = show(manifest(tmp_path), "--set", "data.split.test=0.5", "--set", "data.columns.drop=[job]")
    assert "job     dropped" in result.output
    assert "rows 80 20 100" in " ".join(result.output.split())


def test_problems_end_as_training_would_and_what_is_known_is_shown(tmp_path: Path) -> None:
    result = show(manifest(tmp_path, CSV.replace("\n33.0,", "\nx33,", 1), target="z"))
    assert result.exit_code == 65
    assert "✗ DataError: data.target: the data have no column 'z'" in result.stderr
    assert "what to do: correct data.target" in result.stderr
    assert "rows  200 in 4 columns" in result.output
    result = show(manifest(tmp_path, CSV.replace("\n33.0,", "\nx33,", 1)))
    assert result.exit_code == 65
    assert "column 'age', row 53: 'x33' is not a number" in result.stderr


def test_leakage_is_pointed_out(tmp_path: Path) -> None:
    header, *rows = CSV.splitlines()
    leaky = "\n".join([f"code,{header}", *(f"{'A' if row.endswith('yes') else 'B'},{row}" for row in rows)])
    result = show(manifest(tmp_path, leaky))
    assert result.exit_code == 0
    assert "leak?" in result.output
    assert "column 'code' alone predicts 'y' almost perfectly" in " ".join(result.output.split())
    assert "look at the possible leakage first" in result.output


def test_folds_are_tried(tmp_path: Path) -> None:
    result = show(manifest(tmp_path, split={"folds": 5, "repeats": 2, "test": 0.0}))
    assert "folds 5, 2 times over" in " ".join(result.output.split())
    result = show(manifest(tmp_path, CSV[: CSV.index("\n22.0,")], split={"folds": 9, "test": 0.0}))
    assert result.exit_code == 65
    assert "of fold" in result.stderr


def test_a_data_file_or_an_address_instead_of_a_manifest(tmp_path: Path) -> None:
    manifest(tmp_path)
    assert show(str(tmp_path / "d.csv")).exit_code == 0
    result = show("sample://messy?rows=200")
    assert result.exit_code == 0
    assert "fax       left out      100.0%" in result.output
    assert show("sample://nosuch").exit_code == 64
    assert show(str(tmp_path / "absent.csv")).exit_code == 65


def test_what_this_version_cannot_do_is_refused_by_name(tmp_path: Path) -> None:
    result = show(manifest(tmp_path, columns={"text": ["note"]}))
    assert result.exit_code == 64
    assert "data.columns.text" in result.stderr
    assert show(manifest(tmp_path), "--set", "data.split.tset=0.2").exit_code == 64


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_images_are_shown(tmp_path: Path, kind: str) -> None:
    images, labels = digits(90)
    images[:30], labels[:30] = images[0], labels[0]
    path = tmp_path / "a.npz"
    if kind == "npz":
        np.savez(path, image=images, label=labels)
    else:
        path = write_folder(tmp_path / "d", files(images, labels))
    result = show(str(path), "--set", "data.columns.drop=[]")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert any(line.startswith("image image 61 6 x 6, grey, mean") for line in lines)
    assert any("▒" in line for line in lines)  # the images themselves
    assert any(line.startswith("✓ ready to train") for line in lines)
    assert max(map(len, result.output.splitlines())) <= 80


def test_images_and_the_model_must_fit(tmp_path: Path) -> None:
    path = write_idx(tmp_path, *digits())
    shown = manifest(tmp_path, source={"uri": str(path)})
    assert show(shown).exit_code == 65
    convnet = show(shown, "--set", "model={convnet: {conv: [{channels: 4}]}}")
    assert convnet.exit_code == 0
    assert "a-labels-idx1-ubyte, which lies beside" in " ".join(convnet.output.split())


def test_texts_are_shown() -> None:
    result = show("sample://notes?rows=400", columns=100)
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert any(line.startswith("note text 39") for line in lines)
    assert any(line.startswith("text length half have at most") and "█" in line for line in lines)
    assert any(line.startswith("vocabulary 2") and "unknown are" in line for line in lines)
    assert any(line.startswith("deliveries It's been at the depot") for line in lines)
    assert any("rows repeat the text of another row" in line for line in lines)
    assert max(map(len, result.output.splitlines())) <= 100


def test_texts_as_the_model_reads_them(tmp_path: Path) -> None:
    lstm = ("--set", "model={lstm: {}}")
    assert "column 'age' is left out: the model reads 'note' alone" in " ".join(
        show(manifest(tmp_path), *lstm).output.split()
    )
    vectors = tmp_path / "v.txt"
    vectors.write_text("text 1 2 3\n")
    wide = show(manifest(tmp_path), *lstm, "--set", f"data.text={{vectors: {{uri: {vectors}}}}}")
    assert wide.exit_code == 65
    assert "vectors of 3 numbers, but the model's embeddingSize is 100" in wide.stderr
    known = show(
        manifest(tmp_path),
        *("--set", "model={lstm: {embeddingSize: 3}}", "--set", f"data.text={{vectors: {{uri: {vectors}}}}}"),
    )
    assert known.exit_code == 0, known.output
    assert "3 numbers a word" in known.output
