"""The verify Job says yes to the version that answers as recorded, and no to everything else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import free_port
from tests.unit.serving.servers import TOKEN, Running, tokens
from trainyard_trainer.serving.ask import Answer
from trainyard_trainer.serving.verify import Terms, verify

OK, FAILED, WRONG = Answer(), Answer("503 loading"), Answer("version 6 answered, not 7", wrong=True)


def run(folder: Path, url: str, package: Path, **changes: str) -> tuple[int, dict[str, Any]]:
    env = {
        "URL": url,
        "MODEL_NAME": "jobs",
        "MODEL_VERSION": "7",
        "MODEL_DIR": str(package),
        "TOKENS_DIR": str(tokens(folder / "t", TOKEN)),
        "VERIFY_SECONDS": "1",
        "MAX_ERROR_RATE": "0.01",
        "SETTLE_SECONDS": "1",
        "RESULT": str(folder / "result"),
        **changes,
    }
    done = subprocess.run(
        [sys.executable, "-m", "trainyard_trainer.serving.verify"],
        env={**os.environ, **{f"TRAINYARD_{name}": value for name, value in env.items()}},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == (folder / "result").read_text(), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_right_version_passes(server: Running, built: Path, tmp_path: Path) -> None:
    code, said = run(tmp_path, f"http://127.0.0.1:{server.port}/", built)
    assert (code, said["ok"], said["errors"]) == (0, True, 0), said
    assert said["requests"] >= 3


def test_what_does_not_pass(server: Running, package: Path, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{server.port}"
    code, said = run(tmp_path, url, package, MODEL_VERSION="8")
    assert (code, said["ok"]) == (1, False)
    assert "version 7 answered, not 8" in said["message"]
    code, said = run(tmp_path, url, package, TOKENS_DIR="")
    assert (code, "401 Unauthorized: send a token" in said["message"]) == (1, True)
    code, said = run(tmp_path, f"http://127.0.0.1:{free_port()}", package)
    assert (code, "refused" in said["message"]) == (1, True)
    code, said = run(tmp_path, url, tmp_path / "none")
    assert (code, "the package cannot be read" in said["message"]) == (1, True)
    code, said = run(tmp_path, url, package, URL="")
    assert (code, "TRAINYARD_URL is not set" in said["message"]) == (1, True)
    manifest = json.loads((package / "package.json").read_text())
    manifest["expectedOutput"]["probability_yes"][1] += 2e-5
    (package / "package.json").write_text(json.dumps(manifest))
    code, said = run(tmp_path, url, package)
    assert (code, "of recorded row 1 differs by 2e-05" in said["message"]) == (1, True)


@pytest.mark.parametrize(
    ("answers", "rate", "ok", "message"),
    [
        ([WRONG, FAILED, OK, FAILED], 0.0, True, "0 failed"),  # while the old pods go
        ([OK] * 5 + [WRONG], 1.0, False, "version 6 answered, not 7"),
        ([OK] * 5 + [FAILED] * 2, 0.01, False, "2 of "),
        ([OK] * 5 + [FAILED] * 2, 0.5, True, "2 failed"),
        ([FAILED] * 500, 1.0, False, "no 5 right answers in a row within 1 s: 503 loading"),
    ],
    ids=["settling", "version", "rate", "within-rate", "never"],
)
def test_verdicts(answers: list[Answer], rate: float, ok: bool, message: str) -> None:
    given = chain(answers, repeat(OK))
    verdict = verify(lambda: next(given), Terms(1.0, rate, 1.0))
    assert (verdict.ok, message in verdict.message) == (ok, True), verdict


def test_it_needs_no_torch() -> None:
    code = "import sys, trainyard_trainer.serving.verify; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
