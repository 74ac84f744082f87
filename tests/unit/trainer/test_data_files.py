"""tracking.logData: all files go to the run, too many bytes do not; addresses lose their secrets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.unit.trainer.jobs import Quiet, job, store
from trainyard_trainer import pipeline
from trainyard_trainer.data.load import open_sources
from trainyard_trainer.errors import InvalidSpec
from trainyard_trainer.redact import redacted, shown
from trainyard_trainer.runner import run_job
from trainyard_trainer.stop import StopRequest
from trainyard_trainer.tracking.data_files import uploads

SMALL = {
    "model": {"tabnet": None, "mlp": {"layers": 0}},
    "training": {"epochs": 1, "evaluation": {"baseline": False}},
}


def write(path: Path, rows: int = 60) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(rows)))
    return path


def test_files_of_all_parts_are_uploaded(mlflow_template: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    train, test = write(tmp_path / "one" / "rows.csv"), write(tmp_path / "two" / "rows.csv", 20)
    uri = store(mlflow_template, tmp_path)
    data = {
        "source": {"uri": str(train)},
        "split": {"validation": 0.2, "by": "Files", "files": {"test": {"uri": str(test)}}},
    }
    tracking = {"report": False, "systemMetrics": False, "logData": True}
    one = job(uri, tmp_path, data=data, tracking=tracking, **SMALL)
    result, _ = run_job(one, tmp_path / "w", Quiet(), StopRequest())
    assert result.exit_code == 0, result
    client = MlflowClient(uri)
    folder = Path(client.download_artifacts(result.run_id, "data", str(tmp_path)))
    assert (folder / "rows.csv").read_text() == train.read_text()
    assert (folder / "test" / "rows.csv").read_text() == test.read_text()


def test_too_much_is_refused_before_anything_is_uploaded(
    mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "rows.csv")
    settings = job("sqlite:///unused", tmp_path, data={"source": {"uri": str(path)}}).data
    assert len(uploads(open_sources(settings, tmp_path), settings.split)) == 1
    with pytest.raises(InvalidSpec, match=r"(?s)logData: rows.csv has .* remove tracking.logData"):
        uploads(open_sources(settings, tmp_path), settings.split, most=100)

    def none(*args: object, **kwargs: object) -> None:
        raise InvalidSpec("tracking.logData: too much", "remove it")

    monkeypatch.setattr(pipeline, "uploads", none)
    one = job("sqlite:///unused", tmp_path, data={"source": {"uri": str(path)}}, tracking={"logData": True})
    result, outcome = run_job(one, tmp_path / "w", Quiet(), StopRequest())
    assert result.exit_code == 64
    assert outcome.run_id is None


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("https://me:hidden@host:8080/a.csv", "https://host:8080/a.csv"),
        ("https://host/a?sp=r&sig=hidden&v=2", "https://host/a?v=2"),
        ("s3://bucket/key?X-Amz-Credential=hidden", "s3://bucket/key"),
        ("https://host/a.csv?access_token=hidden", "https://host/a.csv"),
        ("sample://digits?as=image", "sample://digits?as=image"),
        ("/data/a?key=1.csv", "/data/a?key=1.csv"),
        ("https://[broken/a?token=hidden", "https://..."),
    ],
)
def test_addresses_are_shown_without_secrets(uri: str, said: str) -> None:
    assert shown(uri) == said
    assert redacted({"a": [{"uri": uri, "b": 1}]}) == {"a": [{"uri": said, "b": 1}]}


def test_a_job_logs_no_secret(tmp_path: Path) -> None:
    source = {"uri": "https://me:hidden@host/a.csv?X-Amz-Signature=hidden"}
    one = job("https://me:hidden@mlflow", tmp_path, data={"source": source})
    assert one.data.source.uri == source["uri"]
    for logged in (json.dumps(one.document), json.dumps(dict(one.params))):
        assert not re.search("hidden", logged)
        assert "host/a.csv" in logged or "mlflow" in logged
