"""`make demo`: from an empty machine to a trained model, with everything shown on the way."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from typing import Any

from hack import cluster, demo_serving, deploy, shell
from hack.shell import say
from hack.versions import ROOT

NAMESPACE = "demo"
JOB = "breast-cancer"
EXAMPLE = "examples/breast-cancer-tabnet.yaml"
LIMIT_S = 600.0
BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: list[float], width: int = 40) -> str:
    """Draw a curve in one line, at most `width` characters wide.

    >>> sparkline([0.0, 0.5, 1.0])
    '▁▅█'
    """
    if not values:
        return ""
    if len(values) > width:
        values = [values[i * (len(values) - 1) // (width - 1)] for i in range(width)]
    low, high = min(values), max(values)
    scale = (len(BLOCKS) - 1) / ((high - low) or 1.0)
    return "".join(BLOCKS[round((value - low) * scale)] for value in values)


def demo() -> None:
    """Set up what is missing, train the example, and say where to look."""
    start = time.monotonic()
    deploy.ready()
    deploy.ensure_namespace(NAMESPACE)
    shell.run(
        cluster.kubectl("-n", NAMESPACE, "delete", "tj", JOB, "--ignore-not-found", "--wait"), log="demo"
    )
    token = demo_serving.make_token(NAMESPACE)
    say(f"\n$ kubectl -n {NAMESPACE} apply -f {EXAMPLE}")
    with shell.stage("train", "from apply to the end"):
        shell.run(cluster.kubectl("-n", NAMESPACE, "apply", "-f", str(ROOT / EXAMPLE)), log="demo")
        job = watch()
    report(job)
    with shell.stage("promote", "from the result to the decision"):
        promotion = demo_serving.decided(NAMESPACE, JOB)
    say(f"\npromotion: {promotion['state']}: {promotion.get('message', '')}")
    demo_serving.serve(NAMESPACE, token)
    shell.record("demo", time.monotonic() - start)
    say(f"\nmake demo took {time.monotonic() - start:.0f} s; `make down` removes the cluster.")


def get_job() -> dict[str, Any]:
    """Read the TrainingJob."""
    text = shell.output(cluster.kubectl("-n", NAMESPACE, "get", "tj", JOB, "-o", "json"))
    return json.loads(text) if text else {}


def watch() -> dict[str, Any]:
    """Show kubectl's own columns while they change; return the finished job."""
    say(f"$ kubectl -n {NAMESPACE} get trainingjobs --watch")
    table = subprocess.Popen(cluster.kubectl("-n", NAMESPACE, "get", "trainingjobs", "--watch"))
    try:
        limit = time.monotonic() + LIMIT_S
        while time.monotonic() < limit:
            job = get_job()
            if job.get("status", {}).get("state") in ("Succeeded", "Failed"):
                time.sleep(0.5)  # lets the table print its last line
                return job
            time.sleep(0.5)
    finally:
        table.terminate()
        table.wait()
    raise shell.ToolError(
        f"{JOB} was not finished after {LIMIT_S:.0f} s. "
        f"`kubectl -n {NAMESPACE} describe tj {JOB}` says what it waits for."
    )


def report(job: dict[str, Any]) -> None:
    """Print the result, the curve, and the address to open; a failed job fails the demo."""
    status = job["status"]
    if status["state"] != "Succeeded":
        raise shell.ToolError(f"{JOB} is {status['state']}: {status.get('reason')}: {status.get('message')}")
    run = status["mlflow"]
    say("\nmetrics (hold-out rows, computed by the packaged model):")
    for name, value in sorted(status["metrics"].items()):
        say(f"  {name:<24} {value:.4f}")
    for name in ("train_loss", "val_roc_auc"):
        curve = history(run["runID"], name)
        if len(curve) < 2:
            raise shell.ToolError(f"MLflow has {len(curve)} values of {name} for run {run['runID']}")
        say(f"  {name:<12} {curve[0]:.3f} {sparkline(curve)} {curve[-1]:.3f}  ({len(curve)} points)")
    say("\nthe run with its curves, in the cluster's MLflow; open:")
    say(f"  {deploy.MLFLOW_URL}/#/experiments/{run['experimentID']}/runs/{run['runID']}")
    say(f'look around:  eval "$(python3 -m hack env)"; kubectl -n {NAMESPACE} describe tj {JOB}')


def history(run_id: str, metric: str) -> list[float]:
    """Fetch one metric of a run, in the order of its steps."""
    url = (
        f"{deploy.MLFLOW_URL}/api/2.0/mlflow/metrics/get-history"
        f"?run_id={run_id}&metric_key={metric}&max_results=1000"
    )
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            metrics = json.load(reply).get("metrics", [])
    except (urllib.error.URLError, OSError) as error:
        raise shell.ToolError(
            f"MLflow does not answer at {deploy.MLFLOW_URL} ({error}). "
            f"Is the port taken? `kubectl -n {deploy.NAMESPACE} get pods,svc` shows the server."
        ) from error
    return [float(m["value"]) for m in sorted(metrics, key=lambda m: int(m["step"]))]
