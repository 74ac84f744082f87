"""Models of texts and of images answer alike in Python, in MLflow without us, and in a server."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trainyard
from tests.unit.trainer.jobs import store
from tests.unit.trainer.kinds import HEIGHT, TEXTS, WIDTH, images, package, rows, written
from trainyard.errors import DataError
from trainyard_model import Predictor, read_package
from trainyard_trainer.package.log import log_package

CLEAN = """
import sys
sys.path.append(sys.argv[1])
try:
    import trainyard_model
except ImportError:
    pass
else:
    raise SystemExit("trainyard_model can be imported: this proves nothing")
import json, mlflow, numpy, pandas
mlflow.set_tracking_uri(sys.argv[2])
text, image = (mlflow.pyfunc.load_model(uri) for uri in sys.argv[3:5])
said = json.loads(sys.argv[5])
pixels = numpy.load(sys.argv[6])
print(json.dumps({
    "examples": [len(model.input_example) for model in (text, image)],
    "text": text.predict(pandas.DataFrame({"review": said})).to_dict("list"),
    "image": image.predict(pandas.DataFrame({"photo": list(pixels)})).to_dict("list"),
    "file": image.predict(image.input_example).to_dict("list"),
}))
"""


def test_mlflow_answers_the_same_rows_alike_where_nothing_of_ours_is(
    mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.chdir(tmp_path)
    uri = store(mlflow_template, tmp_path)
    client = mlflow.MlflowClient(uri)
    models, expected = {}, {}
    for kind in ("text", "image"):
        folder = written(package(kind), rows(kind), tmp_path / kind)
        run = client.create_run(client.create_experiment(kind, str(tmp_path / "artifacts")))
        models[kind], _ = log_package(folder, read_package(folder), uri, run.info.run_id, {})
        answer = Predictor.load(folder).predict(rows(kind))
        expected[kind] = {name: values.tolist() for name, values in answer.items()}
    np.save(tmp_path / "pixels.npy", images())
    arguments = [uri, *models.values(), json.dumps(TEXTS), str(tmp_path / "pixels.npy")]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CLEAN, sysconfig.get_path("purelib"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["examples"] == [len(TEXTS), len(images())]
    for kind, of in (("text", "text"), ("image", "image"), ("file", "image")):
        assert found[kind]["prediction"] == expected[of]["prediction"]
        for name, values in expected[of].items():
            if name != "prediction":
                assert found[kind][name] == pytest.approx(values, abs=1e-6), (kind, name)


@pytest.mark.parametrize("kind", ["text", "image"])
def test_a_loaded_model_predicts_and_explains_data_frames(kind: str, tmp_path: Path) -> None:
    folder = written(package(kind), rows(kind), tmp_path / "package")
    model = trainyard.load(folder)
    (name, cells), *_ = rows(kind).items()
    frame = pd.DataFrame({name: list(cells)}, index=[f"r{i}" for i in range(len(cells))])
    answer = model.predict(frame)
    expected = Predictor.load(folder).predict(rows(kind))
    assert list(answer.index) == list(frame.index)
    for output, values in expected.items():
        assert answer[output].tolist() == pytest.approx(values.tolist(), abs=1e-7)
    assert model.inputs == {name: kind}
    explained = model.explain(frame)
    assert list(explained.index) == list(frame.index)
    if kind == "text":
        assert [word["text"] for word in explained.loc["r3", name]] == ["good"]
        assert model.importance(frame)["importance"].sum() == pytest.approx(1.0)
        assert "good" in set(model.importance(frame)["word"])
    else:
        assert explained.loc["r0", name].shape == (HEIGHT, WIDTH)
        with pytest.raises(DataError, match="use explain"):
            model.importance(frame)
    with pytest.raises(DataError, match=f"missing column '{name}'; the model takes one column"):
        model.predict(frame.rename(columns={name: "other"}))
