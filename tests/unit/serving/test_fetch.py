"""The pinned package, and no other, reaches the pod."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.processes import free_port
from tests.unit.trainer import kinds
from trainyard_model import package_digest
from trainyard_trainer.errors import DataError, DependencyDown, InvalidSpec, JobError, NotAllowed
from trainyard_trainer.serving.download import download
from trainyard_trainer.serving.fetch import Wanted, fetch, source, wanted

PREFIX = "/api/2.0/mlflow-artifacts/artifacts/"
URI = "mlflow-artifacts:/1/models/m-1/artifacts/my package"


class Artifacts(http.server.BaseHTTPRequestHandler):
    """Files as MLflow's server hands them out; `failures` are answered first."""

    root: Path
    failures: list[int]

    def do_GET(self) -> None:
        path = self.root / unquote(self.path).removeprefix(PREFIX)
        status = self.failures.pop(0) if self.failures else 200 if path.is_file() else 404
        self.send_response(status)
        content = path.read_bytes() if status == 200 else b"no"
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def mlflow(package: Path, tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "store" / "1/models/m-1/artifacts"
    folder.mkdir(parents=True)
    package.rename(folder / "my package")
    Artifacts.root, Artifacts.failures = tmp_path / "store", []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Artifacts)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run(folder: Path, tracking: str, sha256: str) -> subprocess.CompletedProcess[str]:
    env = {"ARTIFACT_URI": URI, "SHA256": sha256, "TRACKING_URI": tracking, "MODEL_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "trainyard_trainer.serving.fetch"],
        env={**os.environ, **{f"TRAINYARD_{name}": value for name, value in env.items()}},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_pinned_package_is_fetched_once(mlflow: str, built: Path, tmp_path: Path) -> None:
    folder, digest = tmp_path / "model", package_digest(built)
    Artifacts.failures = [503]
    done = run(folder, mlflow, digest)
    assert done.returncode == 0, done.stderr
    assert f"SHA-256 {digest} as pinned" in done.stdout
    assert package_digest(folder) == digest
    assert sorted(p.name for p in folder.iterdir()) == ["model.safetensors", "package.json"]
    assert "has the package already" in fetch(Wanted(URI, digest, folder, "http://127.0.0.1:9"))


def test_another_package_than_pinned_is_not_left_behind(mlflow: str, built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    done = run(folder, mlflow, "f" * 64)
    assert done.returncode == 65
    for part in (package_digest(built), f"{mlflow}{PREFIX}1/models", "pinned is fff", "what to do: "):
        assert part in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("failures", "kind", "said"),
    [
        ([404], DataError, "404 Not Found"),
        ([403], NotAllowed, "403 Forbidden"),
        ([500] * 9, DependencyDown, "500 Internal Server Error"),
    ],
)
def test_what_the_server_says(
    failures: list[int], kind: type[JobError], said: str, mlflow: str, tmp_path: Path
) -> None:
    Artifacts.failures = failures
    with pytest.raises(kind, match=said):
        download(f"{mlflow}{PREFIX}1/x", tmp_path / "x", patience=0.1)


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(DependencyDown, match=r"cannot be read: .*refused"):
        download(f"http://127.0.0.1:{free_port()}/x", tmp_path / "x", patience=0.1)


def test_from_a_folder(built: Path, tmp_path: Path) -> None:
    digest = package_digest(built)
    assert "as pinned" in fetch(Wanted(built.as_uri(), digest, tmp_path / "model"))
    with pytest.raises(DataError, match="is not there"):
        fetch(Wanted((tmp_path / "none").as_uri(), digest, tmp_path / "other"))
    with pytest.raises(InvalidSpec, match="cannot be read"):
        fetch(Wanted("nosuch://x/y", digest, tmp_path / "other"))


def test_files_that_the_manifest_names_come_too(tmp_path: Path) -> None:
    package = kinds.written(kinds.package("text"), kinds.rows("text"), tmp_path / "text")
    asked = Wanted(package.as_uri(), package_digest(package), tmp_path / "model")
    assert "as pinned" in fetch(asked)
    names = ["model.safetensors", "package.json", "tokenizer.json"]
    assert sorted(path.name for path in asked.folder.iterdir()) == names
    (package / "tokenizer.json").write_text("{}")  # changed after it was registered
    with pytest.raises(DataError, match=f"pinned is {asked.sha256}"):
        fetch(Wanted(asked.uri, asked.sha256, tmp_path / "other"))
    (package / "package.json").write_text('{"files": {"../x": ""}}')
    with pytest.raises(DataError, match=r"is no package: .*names a file"):
        fetch(Wanted(asked.uri, asked.sha256, tmp_path / "third"))
    assert not (tmp_path / "x").exists()


def test_addresses() -> None:
    assert source("mlflow-artifacts:/1/a b", "https://m/base/") == f"https://m/base{PREFIX}1/a%20b"
    assert source("mlflow-artifacts://other:1/1/a", "http://m:5000") == f"http://other:1{PREFIX}1/a"
    assert source("s3://b/k", "") == "s3://b/k"
    with pytest.raises(InvalidSpec, match="TRAINYARD_TRACKING_URI"):
        source("mlflow-artifacts:/1/a", "")
    with pytest.raises(InvalidSpec, match="not the folder"):
        source("models:/m-1", "http://m")
    with pytest.raises(InvalidSpec, match="TRAINYARD_ARTIFACT_URI is not set"):
        wanted({"TRAINYARD_SHA256": "0" * 64})
    with pytest.raises(InvalidSpec, match="is no SHA-256"):
        wanted({"TRAINYARD_SHA256": "0", "TRAINYARD_ARTIFACT_URI": "x"})
