"""House rules that no linter knows: sizes, the folder called operator, a light command line."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(p for part in ("operator", "trainer", "hack") for p in (ROOT / part).rglob("*.py"))


def test_the_operator_folder_does_not_shadow_the_standard_library() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    done = subprocess.run(
        [sys.executable, "-c", "import operator, collections; print(operator.__file__)"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(ROOT) not in done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_and_functions_are_small_and_explained(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 500, f"{path} is over 500 lines: split it by reason to change"
    assert ast.get_docstring(tree), f"{path} does not say why it exists"
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > 60
    ]
    assert not long, f"{path}: functions over 60 lines: {', '.join(long)}"


def test_half_of_the_modules_are_under_150_lines() -> None:
    sizes = sorted(len(p.read_text().splitlines()) for p in SOURCES)
    assert sizes[len(sizes) // 2] <= 150


@pytest.mark.parametrize("part", ["trainyard.cli", "trainyard.api"])
def test_the_command_line_starts_without_heavy_imports(part: str) -> None:
    heavy = "torch,mlflow,kopf,kubernetes,optuna,fastapi,pandas,sklearn"
    code = f"import sys, {part}; print([m for m in {heavy.split(',')!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_readme_shows_the_example_as_it_is() -> None:
    example = (ROOT / "examples" / "breast-cancer-tabnet.yaml").read_text()
    body = "".join(line for line in example.splitlines(keepends=True) if not line.startswith("#"))
    assert f"```yaml\n{body}```" in (ROOT / "README.md").read_text()
