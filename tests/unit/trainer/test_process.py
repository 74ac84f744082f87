"""The trainer as a process: signals, exit codes, and a model that loads where nothing of ours exists."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.unit.trainer.jobs import attempt_spec, result_of, store

CLEAN_LOAD = """
import sys
sys.path.append(sys.argv[1])
for name in ("trainyard", "trainyard_trainer", "trainyard_model"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(f"{name} can be imported: this proves nothing")
import json, mlflow
mlflow.set_tracking_uri(sys.argv[2])
model = mlflow.pyfunc.load_model(sys.argv[3])
example = model.input_example
frame = example.head(3).astype(object)
frame.iloc[0, 0] = None
import trainyard_model
print(json.dumps({
    "rows": len(example),
    "answer": model.predict(example).to_dict("list"),
    "with_gap": len(model.predict(frame)),
    "inputs": [str(c.name) for c in model.metadata.signature.inputs],
    "from": trainyard_model.__file__,
}))
"""


def environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "TRAINYARD_SPEC": str(folder / "spec.json"),
        "TRAINYARD_WORKDIR": str(folder / "work"),
        "TRAINYARD_RESULT": str(folder / "result.json"),
    }


def trainer(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "trainyard_trainer"],
        env=environment(folder),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_sigterm_saves_and_the_next_attempt_finishes(mlflow_template: Path, tmp_path: Path) -> None:
    uri = store(mlflow_template, tmp_path)
    long = {
        "epochs": 5000,
        "earlyStopping": {"patience": 40, "metric": "val_roc_auc"},
        "deterministic": False,
    }
    (tmp_path / "spec.json").write_text(json.dumps(attempt_spec(uri, training=long)))
    process = trainer(tmp_path)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch "):
            break
    process.send_signal(signal.SIGTERM)
    said = process.stdout.read()
    assert process.wait(60) == 143, said
    first = result_of(tmp_path / "result.json")
    assert (first["exitCode"], first["cause"]) == (143, "Stopped")

    (tmp_path / "spec.json").write_text(json.dumps(attempt_spec(uri, 2, training=long)))
    process = trainer(tmp_path)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert f"resuming after epoch {first['epochs']} of 5000" in said
    second = result_of(tmp_path / "result.json")
    assert second["runID"] == first["runID"]
    assert second["metrics"]["test_roc_auc"] >= 0.98
    loads_in_a_clean_process(uri, second["modelURI"], tmp_path)


def loads_in_a_clean_process(uri: str, model: str, folder: Path) -> None:
    """-I ignores PYTHONPATH and the current folder, -S the .pth files through which we are installed."""
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CLEAN_LOAD, sysconfig.get_path("purelib"), uri, model],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout.splitlines()[-1])
    manifest = json.loads((folder / "work" / "package" / "package.json").read_text())
    assert found["rows"] >= 2
    assert found["with_gap"] == 3
    assert found["inputs"] == [c["name"] for c in manifest["schema"]["columns"]]
    assert "/code/trainyard_model/" in found["from"]
    expected = manifest["expectedOutput"]
    assert found["answer"]["prediction"] == expected["prediction"]
    name = "probability_malignant"
    assert found["answer"][name] == pytest.approx(expected[name], abs=1e-6)


def test_a_bad_spec_is_64_with_a_result(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text("{}")
    process = trainer(tmp_path)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 64, said
    assert result_of(tmp_path / "result.json")["cause"] == "InvalidSpec"
    assert "InvalidSpec: spec.json: " in said


def test_nothing_slow_is_imported_before_the_first_step(tmp_path: Path) -> None:
    """The compiler alone takes longer to import than all that a step needs; MLflow loads in a thread."""
    code = """
import sys
from tests.unit.trainer.test_loop import Hooks, assemble, setup
from pathlib import Path
from trainyard_trainer.errors import Stopped

_, fitter = assemble(*setup(Path(sys.argv[1]), training={"deterministic": sys.argv[2] == "yes"}))
try:
    fitter.run(Hooks(stop_at=2))
except Stopped:
    pass
slow = ("torch._dynamo", "torch._inductor", "sympy", "mlflow", "matplotlib", "optuna", "fastapi")
print(sorted(name for name in slow if name in sys.modules))
"""
    for deterministic in ("no", "yes"):
        finished = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), deterministic],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.stdout.strip() == "[]", finished.stdout + finished.stderr
