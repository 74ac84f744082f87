"""A TrainingJob on a real cluster: from apply to a tracked, reloadable model."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from hack import deploy
from tests.support import mlflow_server
from tests.support.cluster import Manifest, Namespace, condition, mounted_csv, status, training_job

pytestmark = [pytest.mark.integration, pytest.mark.timeout(420)]
ROOT = Path(__file__).parents[2]
EXAMPLES = {path.stem: path for path in sorted((ROOT / "examples").glob("*.yaml"))}


@pytest.fixture(scope="module", autouse=True)
def started(new_namespace: Callable[[], Namespace]) -> dict[str, Namespace]:
    """Every job that is only waited for, started together and before the tests that act on theirs."""
    namespaces = {name: new_namespace() for name in ("plain", "line", *EXAMPLES)}
    namespaces["plain"].apply(training_job("plain"))
    lines = [f"{i},{i % 7},{3 * i + (i % 7)}" for i in range(400)]
    files, job = mounted_csv("line", "\n".join(["a,b,c", *lines]), target="c", task="Regression")
    namespaces["line"].apply(files, job)
    for name, path in EXAMPLES.items():
        for secret in re.findall(r"create secret generic (\S+)", path.read_text()):
            namespaces[name].kubectl("create", "secret", "generic", secret, "--from-literal=me=token")
        namespaces[name].apply(_modest(yaml.safe_load(path.read_text())))
    return namespaces


def _modest(job: Manifest) -> Manifest:
    """An example as it stands, but for the CPU that it reserves: all of them run at once on a small node."""
    little = {"requests": {"cpu": "50m"}}
    resources = job["spec"].setdefault("compute", {}).setdefault("resources", {})
    resources["requests"] = {**resources.get("requests", {}), **little["requests"]}
    if "serving" in job["spec"].get("promotion", {}):
        job["spec"]["promotion"]["serving"]["resources"] = little
    return job


def test_suspend_and_resume_go_on_in_the_same_run(namespace: Namespace) -> None:
    training = {"epochs": 400, "batchSize": 64}
    namespace.apply(training_job("pause", training=training))
    namespace.wait("pause", lambda j: status(j).get("progress", {}).get("epoch", 0) >= 3, "training")
    patch = ["patch", "tj", "pause", "--type=merge", "-p"]
    namespace.kubectl(*patch, '{"spec":{"runPolicy":{"suspend":true}}}')
    namespace.wait("pause", lambda j: status(j).get("state") == "Suspended", "suspended")
    namespace.wait("pause", lambda _: not namespace.items("pods"), "without pods")

    uid = namespace.get("tj", "pause")["metadata"]["uid"]
    (stopped,) = mlflow_server.runs_of(uid)
    before = mlflow_server.history(stopped["info"]["run_id"], "train_loss")
    namespace.kubectl(*patch, '{"spec":{"runPolicy":{"suspend":false}}}')
    namespace.wait(
        "pause", lambda j: status(j).get("progress", {}).get("attempt") == 2, "in its second attempt"
    )
    namespace.wait(
        "pause",
        lambda _: len(mlflow_server.history(stopped["info"]["run_id"], "train_loss")) > len(before) + 2,
        "further on",
    )
    (resumed,) = mlflow_server.runs_of(uid)
    after = [step for step, _ in mlflow_server.history(resumed["info"]["run_id"], "train_loss")]
    assert all(b - a == 1 for a, b in pairwise(after)), f"steps lost or logged twice: {after}"
    assert after[: len(before)] == [step for step, _ in before]


def test_a_killed_pod_is_replaced_and_resumes(namespace: Namespace) -> None:
    namespace.apply(training_job("survivor", training={"epochs": 600, "batchSize": 64}))
    namespace.wait("survivor", lambda j: status(j).get("progress", {}).get("epoch", 0) >= 3, "training")
    (pod,) = namespace.items("pods")
    namespace.kubectl("delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0")
    job = namespace.wait("survivor", lambda j: status(j).get("attempt") == 2, "in its second attempt")
    assert status(job)["restarts"] == 1
    assert status(job)["lastFailure"]["attempt"] == 1
    namespace.wait("survivor", lambda j: status(j).get("progress", {}).get("attempt") == 2, "reporting again")
    (run,) = mlflow_server.runs_of(job["metadata"]["uid"])
    steps = [step for step, _ in mlflow_server.history(run["info"]["run_id"], "train_loss")]
    assert len(steps) == len(set(steps)), f"a step was logged twice: {steps}"


def test_deleting_a_running_job_leaves_nothing(namespace: Namespace) -> None:
    namespace.apply(training_job("gone", training={"epochs": 400, "batchSize": 64}))
    namespace.wait("gone", lambda j: status(j).get("state") == "Running", "running")
    namespace.kubectl("delete", "tj", "gone", "--wait")
    for _ in range(100):
        left = namespace.items("jobs") + namespace.items("pods")
        left += namespace.items("configmaps", "app.kubernetes.io/managed-by=trainyard")
        if not left:
            break
        time.sleep(0.3)
    assert not left, [(o["kind"], o["metadata"]["name"]) for o in left]


def test_regression_on_a_mounted_csv(started: dict[str, Namespace]) -> None:
    end = started["line"].finished("line")
    assert end["state"] == "Succeeded", end
    assert {"test_rmse", "test_mae", "test_r2"} <= set(end["metrics"])
    assert end["data"]["rows"] == 400


def test_kubectl_shows_the_state_of_a_finished_job(started: dict[str, Namespace]) -> None:
    started["plain"].finished("plain")
    head, row = started["plain"].kubectl("get", "tj", "plain").splitlines()
    assert head.split() == ["NAME", "STATE", "PROGRESS", "METRIC", "ETA", "RESTARTS", "AGE"]
    assert re.match(r"plain\s+Succeeded\s+5/5\s+val_\w+=[\d.]+\s", row), row


def test_conditions_of_a_finished_job(started: dict[str, Namespace]) -> None:
    end = started["plain"].finished("plain")
    assert condition(end, "Succeeded")["status"] == "True"
    assert end["observedGeneration"] == 1
    assert all(c["message"] for c in end["conditions"])


def test_the_package_predicts_in_a_process_that_has_no_trainyard(
    started: dict[str, Namespace], tmp_path: Path
) -> None:
    end = started["plain"].finished("plain")
    program = textwrap.dedent("""
        import sys, mlflow
        sys.path[:] = [p for p in sys.path if not p.endswith(("/trainer", "/operator"))]
        try:
            import trainyard_model
            raise SystemExit("trainyard_model is importable: this would prove nothing")
        except ModuleNotFoundError:
            pass
        model = mlflow.pyfunc.load_model(sys.argv[1])
        example = model.input_example
        print("ROWS", len(model.predict(example)), len(example))
    """)
    done = subprocess.run(
        [sys.executable, "-c", program, end["mlflow"]["modelURI"]],
        cwd=tmp_path,
        env={"MLFLOW_TRACKING_URI": deploy.MLFLOW_URL, "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = re.search(r"ROWS (\d+) (\d+)", done.stdout)
    assert rows is not None
    assert rows[1] == rows[2]
    assert int(rows[1]) >= 2


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_succeeds_and_is_tracked(started: dict[str, Namespace], example: str) -> None:
    namespace, job = started[example], yaml.safe_load(EXAMPLES[example].read_text())
    name = job["metadata"]["name"]
    namespace.kubectl("wait", f"tj/{name}", "--for=condition=Succeeded", "--timeout=240s")
    end = status(namespace.get("tj", name))

    run = mlflow_server.run(end["mlflow"]["runID"])
    assert run["info"]["status"] == "FINISHED"
    assert mlflow_server.tags(run)["trainyard.uid"] == namespace.get("tj", name)["metadata"]["uid"]
    steps = [step for step, _ in mlflow_server.history(end["mlflow"]["runID"], "train_loss")]
    assert steps == sorted(set(steps))
    assert len(steps) > 1
    assert any(metric.startswith("test_") for metric in end["metrics"])
    assert end["data"]["dataDigest"]
    assert end["data"]["holdoutDigest"]
    if job["spec"].get("promotion", {}).get("mode") == "Automatic":
        namespace.kubectl("wait", f"tj/{name}", "--for=condition=Promoted", "--timeout=180s")
