"""Data on other machines: a real HTTP server, a real S3 server, and what is said when they refuse."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import requests

from trainyard_trainer.data import memory
from trainyard_trainer.data.load import load
from trainyard_trainer.data.settings import DataSettings, SourceSettings, SplitSettings
from trainyard_trainer.errors import DataError, DependencyDown, JobError, NotAllowed

CSV = b"a,y\n1,0\n2,1\n"


class Host(BaseHTTPRequestHandler):
    """Fails once, then answers by path."""

    failed: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        """200, or the status that the path names."""
        if self.path == "/once.csv" and not self.failed:
            self.failed.add(self.path)
            self.send_error(503)
        elif self.path.startswith("/status/"):
            self.send_error(int(self.path.rsplit("/", 1)[1]))
        else:
            body = gzip.compress(CSV) if self.path.endswith(".gz") else CSV
            self.send_response(200)
            self.send_header("Content-Length", str(1 << 50 if self.path == "/huge.csv" else len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Silence."""


@pytest.fixture
def host() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Host) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainyard_trainer.data.source.RETRY_SECONDS", 0.1)


def rows(uri: str, folder: Path, **options: object) -> int:
    return load(DataSettings(SourceSettings(uri), **options), folder)[0].rows  # type: ignore[arg-type]


def test_a_download_survives_a_hiccup(host: str, tmp_path: Path) -> None:
    assert rows(f"{host}/once.csv", tmp_path) == 2
    assert Host.failed == {"/once.csv"}


def test_a_compressed_download_whatever_it_is_called(host: str, tmp_path: Path) -> None:
    assert rows(f"{host}/data.csv.gz?signature=x", tmp_path) == 2


def test_two_files_of_one_name(host: str, tmp_path: Path) -> None:
    split = SplitSettings(0.0, 0.0, by="Files", test_file=SourceSettings(f"{host}/test/data.csv"))
    table, _ = load(DataSettings(SourceSettings(f"{host}/train/data.csv"), split=split), tmp_path)
    assert table.rows == 4
    assert table.place(3) == "row 2 of data.csv (split.files)"


@pytest.mark.parametrize(("status", "code"), [(404, 65), (403, 77), (401, 77)])
def test_a_host_that_refuses(status: int, code: int, host: str, tmp_path: Path) -> None:
    with pytest.raises(JobError, match=f"answers {status}") as caught:
        rows(f"{host}/status/{status}", tmp_path)
    assert caught.value.exit_code == code


@pytest.mark.usefixtures("hurried")
def test_a_host_that_stays_broken(host: str, tmp_path: Path) -> None:
    with pytest.raises(DependencyDown, match="cannot be fetched: 500"):
        rows(f"{host}/status/500", tmp_path)


def test_a_download_that_cannot_fit_is_refused_before_it_begins(host: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"/huge\.csv needs about .* GiB of memory; this machine or pod has"):
        rows(f"{host}/huge.csv", tmp_path)
    assert not list(tmp_path.rglob("huge.csv")) or (tmp_path / "0" / "huge.csv").stat().st_size == 0


# S3


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that lets some actions pass unsigned, and then knows nobody's key."""
    command = shutil.which("moto_server")
    if command is None:
        pytest.skip("moto_server is not installed on this machine")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path_factory.mktemp("s3") / "server.log").open("wb")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
        "INITIAL_NO_AUTH_ACTION_COUNT": "9"
    }
    server = subprocess.Popen(
        [command, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log, env=environment
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url)
        requests.put(f"{url}/bucket", timeout=10).raise_for_status()
        for key, body in {"in/d.csv": CSV, "in/d+1 ü.csv.gz": gzip.compress(CSV)}.items():
            requests.put(f"{url}/bucket/{key}", data=body, timeout=10).raise_for_status()
        yield url
    finally:
        server.terminate()
        server.wait(10)
        log.close()


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            requests.get(f"{url}/moto-api/data.json", timeout=1)
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    pytest.fail("moto_server does not answer")


@pytest.fixture
def keys(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.mark.usefixtures("keys", "hurried")
def test_an_s3_server(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows("s3://bucket/in/d.csv", tmp_path) == 2
    assert rows("s3://bucket/in/d+1 ü.csv.gz", tmp_path) == 2
    with pytest.raises(DataError, match=r"s3://bucket/in/x\.csv does not exist"):
        rows("s3://bucket/in/x.csv", tmp_path)
    with pytest.raises(DataError, match=r"s3://bucked/in/d\.csv does not exist"):
        rows("s3://bucked/in/d.csv", tmp_path)
    while requests.get(f"{s3}/bucket", timeout=10).ok:  # use up the unsigned actions: then keys are checked
        pass
    with pytest.raises(NotAllowed, match=r"s3://bucket/in/d\.csv may not be read") as caught:
        rows("s3://bucket/in/d.csv", tmp_path)
    assert "credentialsSecret" in caught.value.remedy
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(DependencyDown, match=r"s3://bucket/in/d\.csv cannot be fetched"):
        rows("s3://bucket/in/d.csv", tmp_path)


def test_the_size_of_a_compressed_file_is_that_of_its_content(tmp_path: Path) -> None:
    content = b"a,y\n" + b"1,0\n" * 100_000
    for name, body in {"d.csv": content, "d.csv.gz": gzip.compress(content)}.items():
        (tmp_path / name).write_bytes(body)
        assert memory.need_bytes(tmp_path / name, parquet=False) == 4 * len(content)
