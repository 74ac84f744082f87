"""Several operators against a real API server: one writes, another takes over, nobody writes late."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apiserver import ApiError, ApiServer
from tests.support.operator_process import Bench, OperatorProcess, eventually

pytestmark = pytest.mark.contract
LEASE = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/operator"
NAMES = ("first", "second", "third")


@pytest.fixture
def bench(controllers: ApiServer, namespace: str) -> Bench:
    return Bench(controllers, namespace)


@pytest.fixture
def operators(bench: Bench, tmp_path: Path) -> Iterator[dict[str, OperatorProcess]]:
    """Three candidates; the first of them leads."""
    running: dict[str, OperatorProcess] = {}
    try:
        for name in NAMES:
            env = {
                "TRAINYARD_LEASE": "operator",
                "TRAINYARD_POD_NAMESPACE": bench.namespace,
                "TRAINYARD_POD_NAME": name,
            }
            running[name] = OperatorProcess.start(
                bench.server, bench.namespace, tmp_path / f"{name}.log", env
            )
            eventually(lambda: holder(bench) == "first")
        yield running
    finally:
        for process in running.values():
            process.child.process.send_signal(signal.SIGCONT)
            process.child.stop()


def holder(bench: Bench) -> str:
    """Nobody before the first candidate has made the Lease: it is ready while it waits for it."""
    try:
        lease = bench.server.request("GET", LEASE.format(bench.namespace))
    except ApiError as error:
        if error.status != 404:
            raise
        return ""
    return str(lease["spec"]["holderIdentity"])


def writes(operator: OperatorProcess) -> float:
    """Requests that change something, but for those of the Lease itself."""
    found = operator.requests().items()
    return sum(n for (verb, resource, _), n in found if verb not in {"get", "list"} and resource != "leases")


def test_another_takes_over_and_who_was_frozen_ends_without_a_write(
    bench: Bench, operators: dict[str, OperatorProcess], tmp_path: Path
) -> None:
    bench.apply("before")
    eventually(lambda: bench.names("jobs") == ["before-tj-a1"])
    assert writes(operators["first"]) > 0
    assert writes(operators["second"]) == writes(operators["third"]) == 0

    operators["first"].child.process.send_signal(signal.SIGSTOP)
    frozen = time.monotonic()
    bench.apply("meanwhile")
    leader = eventually(lambda: holder(bench) if holder(bench) != "first" else "", within=20)
    assert time.monotonic() - frozen < 20 + 10, (
        "the lease is 15 s, a look every 2 s; the rest is a busy machine"
    )
    eventually(lambda: bench.names("jobs") == ["before-tj-a1", "meanwhile-tj-a1"])

    operators["first"].child.process.send_signal(signal.SIGCONT)
    assert eventually(lambda: operators["first"].child.process.poll()) == 75
    assert f"{leader} leads now" in (tmp_path / "first.log").read_text()
    jobs = {body["metadata"]["name"]: body["metadata"]["uid"] for body in bench.items("jobs")}

    operators[leader].child.stop()
    released = time.monotonic()
    last = ({"second", "third"} - {leader}).pop()
    eventually(lambda: holder(bench) == last, within=5)
    assert time.monotonic() - released < 10, "who ends in peace lets go of the lease"
    bench.apply("after")
    eventually(lambda: "after-tj-a1" in bench.names("jobs"))
    assert (
        jobs.items()
        <= {body["metadata"]["name"]: body["metadata"]["uid"] for body in bench.items("jobs")}.items()
    ), "nothing was made twice"
