"""The last part of `make demo`: the promoted model answers, in the cluster and on this machine alike."""

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hack import cluster, deploy, shell
from hack.shell import say
from hack.versions import BUILD, ROOT

SECRET = "breast-cancer-tokens"
SERVER = "breast-cancer"
PORT, LAPTOP_PORT = 5580, 5581
LIMIT_S = 240.0
FINAL = {"Promoted", "Rejected"}
"""A second demo ends with Rejected: the same data and seed make no better model, so the first one stays."""


def make_token(namespace: str) -> str:
    """Create the Secret with the callers' token, or read the one that is there."""
    path = ["get", "secret", SECRET, "-o", "jsonpath={.data.demo}"]
    if shell.output(cluster.kubectl("-n", namespace, *path)) is None:
        token = secrets.token_hex(16)
        command = ["create", "secret", "generic", SECRET, f"--from-literal=demo={token}"]
        shell.output(cluster.kubectl("-n", namespace, *command))
    path[-1] = "go-template={{.data.demo | base64decode}}"
    token = shell.output(cluster.kubectl("-n", namespace, *path)) or ""
    if not token:
        raise shell.ToolError(
            f"Secret {SECRET} in {namespace} holds no key demo: delete it and run this again"
        )
    return token


def decided(namespace: str, job: str) -> dict[str, Any]:
    """Show the ModelServer while the result is on its way into serving; return status.promotion."""
    say(f"\n$ kubectl -n {namespace} get modelservers --watch")
    table = subprocess.Popen(cluster.kubectl("-n", namespace, "get", "modelservers", "--watch"))
    try:
        limit = time.monotonic() + LIMIT_S
        while time.monotonic() < limit:
            text = shell.output(cluster.kubectl("-n", namespace, "get", "tj", job, "-o", "json"))
            promotion = json.loads(text or "{}").get("status", {}).get("promotion", {})
            if promotion.get("state") == "RolledBack":
                raise shell.ToolError(f"the result was rolled back: {promotion.get('message')}")
            if promotion.get("state") in FINAL:
                time.sleep(0.5)  # lets the table print its last line
                return dict(promotion)
            time.sleep(0.5)
    finally:
        table.terminate()
        table.wait()
    raise shell.ToolError(
        f"no decision on the result in {LIMIT_S:.0f} s. "
        f"`kubectl -n {namespace} describe tj,ms {SERVER}` says why."
    )


@contextmanager
def running(argv: list[str], port: int, log: str) -> Iterator[None]:
    """Run a program until its port answers, and end it afterwards."""
    shell.LOGS.mkdir(parents=True, exist_ok=True)
    with (shell.LOGS / f"{log}.log").open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, cwd=BUILD)
        try:
            limit = time.monotonic() + 60
            while shell.output(["curl", "-sf", f"http://127.0.0.1:{port}/v2/health/ready"]) is None:
                if process.poll() is not None or time.monotonic() > limit:
                    raise shell.ToolError(f"{argv[0]} does not answer on port {port}; see {out.name}")
                time.sleep(0.3)
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()


def example_row(model_uri: str) -> str:
    """Return the row to ask about: the first one recorded in the package, as JSON."""
    program = (
        "import json, sys, mlflow\n"
        "mlflow.set_tracking_uri(sys.argv[1])\n"
        "print(json.dumps([mlflow.pyfunc.load_model(sys.argv[2]).input_example.iloc[0].to_dict()]))"
    )
    found = shell.output(
        [ROOT / ".venv" / "bin" / "python", "-W", "ignore", "-c", program, deploy.MLFLOW_URL, model_uri],
        timeout=120,
    )
    if found is None:
        raise shell.ToolError(f"{model_uri} cannot be loaded from {deploy.MLFLOW_URL}")
    return found.splitlines()[-1]


def ask(port: int, row: Path, token: str | None) -> dict[str, Any]:
    """Ask with curl, and print the command that was used."""
    words = ["curl", "-s", f"http://localhost:{port}/predict", "-H", "content-type: application/json"]
    words += ["-d", f"@{row.relative_to(ROOT)}"]
    if token:
        words += ["-H", f"authorization: Bearer {token}"]
    shown = " ".join(f"'{word}'" if " " in word else word for word in words)
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    say(f"$ {shown}\n  {answer}")
    return dict(json.loads(answer))


def serve(namespace: str, token: str) -> None:
    """Ask the Service in the cluster and `trainyard serve` on this machine; the answers must agree."""
    model_uri = f"models:/{namespace}.{SERVER}@champion"
    row = BUILD / "row.json"
    row.write_text(example_row(model_uri))
    forward = cluster.kubectl("-n", namespace, "port-forward", f"svc/{SERVER}", f"{PORT}:80")
    say(f"\nin the cluster:\n$ kubectl -n {namespace} port-forward svc/{SERVER} {PORT}:80 &")
    with running(forward, PORT, "port-forward"):
        served = ask(PORT, row, token)
    command = ["serve", model_uri, "--tracking-uri", deploy.MLFLOW_URL, "--port", str(LAPTOP_PORT)]
    say(f"\nthe same model on this machine:\n$ .venv/bin/trainyard {' '.join(command)} &")
    with running([str(ROOT / ".venv" / "bin" / "trainyard"), *command], LAPTOP_PORT, "serve"):
        local = ask(LAPTOP_PORT, row, None)
    if served["rows"] != local["rows"]:
        raise shell.ToolError(f"the two predictions differ: {served['rows']} and {local['rows']}")
    say("the two predictions are the same.")
