"""Two pods that train one model over gloo, and what a lost one costs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from hack.versions import KUBECONFIG
from tests.support import mlflow_server
from tests.support.cluster import Manifest, Namespace, status, training_job
from trainyard.cli import app

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
SMALL = {
    "nodes": 2,
    "resources": {"requests": {"cpu": "50m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
}
MLP = {"mlp": {"layers": 1, "width": 16}}


def group(name: str, epochs: int) -> Manifest:
    return training_job(name, model=MLP, compute=SMALL, training={"epochs": epochs, "batchSize": 64})


@pytest.fixture(scope="module", autouse=True)
def started(new_namespace: Callable[[], Namespace]) -> Namespace:
    """The job that is only waited for, started before the other one is acted on."""
    namespace = new_namespace()
    namespace.apply(group("pair", 5))
    return namespace


def test_a_group_that_loses_a_pod_starts_again_from_its_checkpoint(namespace: Namespace) -> None:
    namespace.apply(group("survivors", 200))
    namespace.wait("survivors", lambda j: status(j).get("progress", {}).get("epoch", 0) >= 1, "training")
    (second,) = namespace.items("pods", "batch.kubernetes.io/job-completion-index=1")
    namespace.kubectl("delete", "pod", second["metadata"]["name"], "--force", "--grace-period=0")
    job = namespace.wait("survivors", lambda j: status(j).get("attempt") == 2, "in its second attempt")
    assert status(job)["lastFailure"]["attempt"] == 1
    end = namespace.finished("survivors")
    assert (end["state"], end["attempt"], end["restarts"]) == ("Succeeded", 2, 1), end
    (run,) = mlflow_server.runs_of(job["metadata"]["uid"])
    steps = [step for step, _ in mlflow_server.history(run["info"]["run_id"], "train_loss")]
    assert all(after - before == 1 for before, after in pairwise(steps)), f"lost or logged twice: {steps}"
    assert not namespace.items("services"), "the Service of an attempt outlived it"


def test_two_pods_train_one_model_in_one_run(started: Namespace) -> None:
    end = started.finished("pair")
    assert (end["state"], end["attempt"]) == ("Succeeded", 1), end
    job = started.get("tj", "pair")
    (run,) = mlflow_server.runs_of(job["metadata"]["uid"])
    assert run["info"]["run_id"] == end["mlflow"]["runID"]
    assert run["info"]["status"] == "FINISHED"
    pods = started.items("pods")
    codes = [p["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] for p in pods]
    assert codes == [0, 0]
    assert len({p["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] for p in pods}) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["logs", "-f", "pair"], "epoch 5/5"),
        (["explain", "pair"], "as it should be"),
        (["describe", "pair"], "Succeeded: Completed"),
    ],
    ids=lambda value: value[0],
)
def test_commands_speak_to_the_cluster(
    started: Namespace, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    started.finished("pair")
    monkeypatch.setenv("KUBECONFIG", str(KUBECONFIG))
    done = CliRunner().invoke(app, [*words, "-n", started.name])
    assert said in done.output, (done.output, done.exception)
