"""The operator on the kind cluster: how soon it acts, what it costs the API server, what it weighs.

Run by `make bench-operator`. Jobs of the latency rows can never be scheduled, so that only the operator and
the API server is measured.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubernetes
from prometheus_client.parser import text_string_to_metric_families

from hack import cluster, deploy
from hack.images import IMAGES
from hack.versions import BUILD, KUBECONFIG, ROOT
from tests.benchmarks.report import Row, at_most, median, percentile, write
from tests.support import mlflow_server
from tests.support.cluster import Namespace, make_namespace, status, training_job

JOBS = 50
GROUP, VERSION, PLURAL = "trainyard.dev", "v1alpha1", "trainingjobs"
READS = {"GET", "LIST", "WATCH"}
WRITES = {"POST", "PUT", "PATCH", "DELETE", "APPLY", "CREATE"}


class JobClock:
    """Notes when each Job of a namespace is first seen by a watch."""

    def __init__(self, namespace: str) -> None:
        self.seen: dict[str, float] = {}
        self.changed = threading.Condition()
        self._namespace = namespace
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        stream = kubernetes.watch.Watch().stream(
            kubernetes.client.BatchV1Api().list_namespaced_job, self._namespace, timeout_seconds=600
        )
        for event in stream:
            with self.changed:
                self.seen.setdefault(event["object"].metadata.name, time.monotonic())
                self.changed.notify_all()

    def when(self, name: str, limit: float = 60.0) -> float:
        """Wait for a Job; return when it was seen."""
        with self.changed:
            if not self.changed.wait_for(lambda: name in self.seen, limit):
                raise TimeoutError(f"no Job {name} after {limit:.0f} s: is the operator running?")
            return self.seen[name]


def unschedulable(name: str) -> dict[str, Any]:
    """Build a job whose pod fits no node."""
    job = training_job(name)
    job["spec"]["compute"]["podTemplate"] = {"nodeSelector": {"bench": "nowhere"}}
    return job


def create(namespace: str, name: str) -> float:
    """Create a TrainingJob; return the time just before the request."""
    start = time.monotonic()
    kubernetes.client.CustomObjectsApi().create_namespaced_custom_object(
        GROUP, VERSION, namespace, PLURAL, unschedulable(name)
    )
    return start


@contextmanager
def scratch() -> Iterator[Namespace]:
    """Give a namespace, and remove it and what is in it at the end."""
    made = make_namespace()
    try:
        yield made
    finally:
        made.kubectl("delete", "namespace", made.name)


def latency() -> Iterator[Row]:
    """From the request that creates a TrainingJob to its Job as a watch sees it."""
    with scratch() as namespace:
        clock = JobClock(namespace.name)
        serial = []
        for number in range(JOBS):
            start = create(namespace.name, f"one-{number}")
            serial.append(1000 * (clock.when(f"one-{number}-tj-a1") - start))
    yield from latency_rows(f"{JOBS} one after the other", serial)
    with scratch() as namespace:
        clock = JobClock(namespace.name)
        names = [f"all-{number}" for number in range(JOBS)]
        with ThreadPoolExecutor(JOBS) as pool:
            starts = list(pool.map(lambda name: create(namespace.name, name), names))
        ends = [clock.when(f"{name}-tj-a1") for name in names]
    yield from latency_rows(f"{JOBS} at once", [1000 * (e - s) for s, e in zip(starts, ends, strict=True)])


def latency_rows(what: str, milliseconds: list[float]) -> Iterator[Row]:
    """Make the two rows of a latency series."""
    note = "API request included"
    yield Row(f"apply -> Job, {what}, p50", round(percentile(milliseconds, 0.5), 1), "ms", note=note)
    yield at_most(f"apply -> Job, {what}, p99", percentile(milliseconds, 0.99), "ms", 500, note)


def operator_metrics() -> dict[str, Any]:
    """Scrape the operator through the API server: memory, and requests by verb."""
    path = f"/api/v1/namespaces/{deploy.NAMESPACE}/services/trainyard-operator:8080/proxy/metrics"
    text = subprocess.run(
        cluster.kubectl("get", "--raw", path), check=True, capture_output=True, text=True
    ).stdout
    requests: dict[str, float] = {}
    memory = 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "process_resident_memory_bytes":
                memory = sample.value
            if sample.name == "trainyard_api_requests_total":
                verb = sample.labels["verb"].upper()
                requests[verb] = requests.get(verb, 0.0) + sample.value
    return {"memory": memory, "requests": requests}


def whole_jobs(repeats: int = 3) -> Iterator[Row]:
    """Real jobs from apply to Succeeded: first step, requests, memory."""
    first, reads, writes, whole = [], [], [], []
    with scratch() as namespace:
        for number in range(repeats):
            name = f"real-{number}"
            before = operator_metrics()["requests"]
            start = time.time()
            namespace.apply(training_job(name))
            end = namespace.finished(name)
            whole.append(time.time() - start)
            after = operator_metrics()["requests"]
            spent = {verb: after[verb] - before.get(verb, 0.0) for verb in after}
            reads.append(sum(count for verb, count in spent.items() if verb in READS))
            writes.append(sum(count for verb, count in spent.items() if verb in WRITES))
            run = end["mlflow"]["runID"]
            logged = mlflow_server.call("metrics/get-history", run_id=run, metric_key="train_loss")
            first.append(min(int(m["timestamp"]) for m in logged["metrics"]) / 1000 - start)
            if status(namespace.get("tj", name))["state"] != "Succeeded":
                raise RuntimeError(f"{name} did not succeed: {end}")
    yield Row(
        "apply -> first epoch logged, warm images", round(median(first), 2), "s", note=f"median of {repeats}"
    )
    yield Row("apply -> Succeeded, 5 epochs", round(median(whole), 2), "s", note=f"median of {repeats}")
    yield at_most("operator reads per job", max(reads), "requests", 12, f"worst of {repeats}")
    yield at_most("operator writes per job", max(writes), "requests", 8, f"worst of {repeats}")


def sizes() -> Iterator[Row]:
    """What is installed: CRDs and images, and the seconds of each stage that was recorded."""
    for crd in sorted((ROOT / "crds").glob("*.yaml")):
        yield at_most(f"CRD {crd.stem}", crd.stat().st_size / 1024, "KiB", 64)
    built = json.loads(IMAGES.read_text())
    for target, limit in (("operator", 500.0), ("trainer", None)):
        megabytes = built["sizesMB"][target]
        if limit:
            yield at_most(f"image {target}", megabytes, "MB", limit)
        else:
            yield Row(f"image {target}", round(megabytes), "MB")
    stages = BUILD / "stages.json"
    recorded = json.loads(stages.read_text()) if stages.exists() else []
    for name, seconds in {entry["stage"]: entry["seconds"] for entry in recorded}.items():
        yield Row(f"stage {name}", seconds, "s", note="the last time it ran")


def main() -> None:
    """Measure all of it."""
    deploy.ready()
    kubernetes.config.load_kube_config(str(Path(KUBECONFIG)))
    idle = operator_metrics()["memory"] / 1e6
    rows = [at_most("operator RSS, idle", idle, "MB", 150), *latency(), *whole_jobs()]
    after = operator_metrics()["memory"] / 1e6
    note = "for comparison with idle"
    rows.append(Row(f"operator RSS after {2 * JOBS} jobs", round(after, 1), "MB", note=note))
    write("operator", [*rows, *sizes()])


if __name__ == "__main__":
    main()
