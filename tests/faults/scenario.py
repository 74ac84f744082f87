"""A training job's life with everything that makes the operator write: disrupted, suspended, resumed, done.

The hand that plays kubelet and user looks at what is there, as the operator must: a fault may hold it up, but
not lead it astray.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.faults.plans import Fault, Plan, Trace
from tests.faults.proxy import Proxy
from tests.support.apiserver import MERGE, ApiError, ApiServer
from tests.support.operator_process import RESULT, Bench, Body, OperatorProcess

NAME = "life"
WITHIN = 90.0
REST = 3.0
_ARROWS = {
    "": {"Pending", "Starting", "Running"},
    "Pending": {"Starting", "Running", "Suspended"},
    "Starting": {"Running", "Restarting", "Suspended", "Pending", "Succeeded"},
    "Running": {"Restarting", "Suspended", "Starting", "Succeeded", "Pending"},
    "Restarting": {"Starting", "Running", "Suspended", "Pending"},
    "Suspended": {"Starting", "Pending", "Running"},
}
_VOLATILE = {"startTime", "completionTime", "retry", "message", "lastFailure"}


class _RefusedError(Exception):
    """The API server called a child invalid, which ends a job: there is no more to play."""


class Life:
    """One run of the scenario under one plan."""

    def __init__(self, server: ApiServer, namespace: str, plan: Plan, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._server, self._plan, self._folder = server, plan, folder
        self._bench = Bench(server, namespace)
        self._proxy = Proxy(server, plan, self._crash)
        self._operator: OperatorProcess | None = None
        self._crashed = False
        self._starts = 0
        self.states: list[str] = []
        self.problems: list[str] = []

    @property
    def trace(self) -> Trace:
        """What the proxy saw."""
        return self._proxy.trace

    def run(self) -> Body:
        """Play it; the end state, for comparison, comes back."""
        address = self._proxy.start()
        try:
            self._start(address)
            with contextlib.suppress(_RefusedError):
                self._play()
            self._rest()
            return self._end()
        except AssertionError as error:
            self.problems.append(str(error))
            return {}
        finally:
            if self._operator is not None:
                self._operator.child.stop(wait_s=5)
            self._proxy.stop()

    def _start(self, address: str) -> None:
        config = self._folder / "kubeconfig"
        text = yaml.safe_load(self._server.kubeconfig_for("unused"))
        text["clusters"][0]["cluster"] = {"server": address}
        config.write_text(yaml.safe_dump(text))
        self._env = {
            "KUBECONFIG": str(config),
            "TRAINYARD_RESYNC_SECONDS": "4",
            "TRAINYARD_WATCH_SILENCE_SECONDS": "4",
        }
        self._revive()

    def _revive(self) -> None:
        """Start the operator, as kubelet would again after a crash."""
        self._crashed = False
        self._starts += 1
        log = self._folder / f"operator-{self._starts}.log"
        self._operator = OperatorProcess.start(self._server, self._bench.namespace, log, self._env)

    def _crash(self) -> None:
        if self._operator is not None:
            self._crashed = True
            self._operator.kill()

    # -- the life --

    def _play(self) -> None:
        self._bench.apply(NAME)
        self._pod_runs(1)
        self._until(lambda s: s.get("state") == "Running" and s.get("attempt") == 1, "Running, attempt 1")
        self._disrupt(1)
        self._pod_runs(2)
        self._until(lambda s: s.get("state") == "Running" and s.get("attempt") == 2, "Running, attempt 2")
        self._patch({"spec": {"runPolicy": {"suspend": True}}})
        self._until(lambda s: s.get("state") == "Suspended", "Suspended")
        self._wait(lambda: not self._live_jobs(), "no Job while suspended")
        self._patch({"spec": {"runPolicy": {"suspend": False}}})
        self._pod_runs(3)
        self._until(lambda s: s.get("attempt") == 3 and s.get("state") == "Running", "Running, attempt 3")
        self._bench.pod_ends(f"{NAME}-tj-a3", 0, RESULT)
        self._until(lambda s: s.get("state") in ("Succeeded", "Failed"), "over")

    def _pod_runs(self, attempt: int) -> None:
        job = f"{NAME}-tj-a{attempt}"
        self._wait(lambda: self._bench.pod(job) is not None, f"a pod of attempt {attempt}")
        self._bench.pod_runs(job)

    def _disrupt(self, attempt: int) -> None:
        """As the eviction API does: a condition, then the end."""
        pod = self._bench.pod(f"{NAME}-tj-a{attempt}")
        assert pod is not None
        path = f"/api/v1/namespaces/{self._bench.namespace}/pods/{pod['metadata']['name']}/status"
        condition = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        self._server.request("PATCH", path, {"status": {"conditions": [condition]}}, content_type=MERGE)
        self._bench.pod_ends(f"{NAME}-tj-a{attempt}", 143)

    def _patch(self, body: Body) -> None:
        self._bench.patch(NAME, body)

    def _live_jobs(self) -> list[str]:
        found = [job for job in self._bench.items("jobs") if job["metadata"]["name"] == f"{NAME}-tj-a2"]
        return [job["metadata"]["name"] for job in found]

    # -- looking --

    def _until(self, fits: Callable[[Body], bool], what: str) -> None:
        def look() -> bool:
            status = self._bench.status(NAME)
            state = str(status.get("state", ""))
            if not self.states or self.states[-1] != state:
                self.states.append(state)
            assert state not in ("Failed",) or fits(status), f"Failed: {status.get('message')}"
            return fits(status)

        self._wait(look, what)

    def _wait(self, look: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WITHIN
        while True:
            if self._crashed and not self._alive():
                self._revive()
            elif not self._crashed and not self._alive():
                assert self._operator is not None
                raise AssertionError(f"the operator ended by itself:\n{self._operator.child.tail(5)}")
            if self._plan.fault is Fault.UNPROCESSABLE and self._bench.status(NAME).get("state") == "Failed":
                raise _RefusedError
            try:
                if look():
                    return
            except ApiError as error:
                if error.status not in (404, 409):
                    raise
            if time.monotonic() > deadline:
                status = self._bench.status(NAME)
                shown = {k: status.get(k) for k in ("state", "reason", "message", "attempt")}
                raise AssertionError(f"not {what} within {WITHIN:.0f} s: {shown}")
            time.sleep(0.1)

    def _alive(self) -> bool:
        return self._operator is not None and self._operator.child.alive()

    def _rest(self) -> None:
        """At rest nobody writes."""
        time.sleep(REST)
        since = time.monotonic() - self._proxy.last_write
        if since < REST - 0.5:
            self.problems.append(f"a write {since:.1f} s after the end: {self.trace.writes[-1]}")

    def _end(self) -> Body:
        body = self._bench.get(NAME)
        self._check_children(body["metadata"]["uid"])
        self._check_transitions()
        status = body["status"]
        for condition in status.get("conditions", []):
            if condition.get("observedGeneration", 0) > body["metadata"]["generation"]:
                self.problems.append(f"condition of a generation that is not there: {condition}")
        if status.get("observedGeneration") != body["metadata"]["generation"]:
            self.problems.append("status.observedGeneration is not the object's generation")
        kept = {key: value for key, value in status.items() if key not in _VOLATILE}
        kept["conditions"] = sorted((c["type"], c["status"], c["reason"]) for c in status["conditions"])
        return {**kept, "children": self._bench.names("jobs") + self._bench.names("configmaps")}

    def _check_children(self, uid: str) -> None:
        for resource in ("jobs", "configmaps"):
            for child in self._bench.items(resource):
                owners = [o["uid"] for o in child["metadata"].get("ownerReferences", [])]
                if child["metadata"].get("labels") and owners != [uid]:
                    self.problems.append(f"{resource} {child['metadata']['name']} is not owned by the job")
        for done, counts in (("made", self.trace.made), ("removed", self.trace.removed)):
            for what, count in counts.items():
                if count > 1:
                    self.problems.append(f"{what} was {done} {count} times")
        if self._plan.fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER) and self._starts > 2:
            self.problems.append(f"the operator was started {self._starts} times")

    def _check_transitions(self) -> None:
        before = ""
        for state in self.states:
            if state and state != before and state not in _ARROWS.get(before, set()):
                self.problems.append(f"illegal transition {before or 'new'} -> {state}")
            before = state or before


def difference(golden: dict[str, Any], found: dict[str, Any]) -> str:
    """Where an end state is not the golden one."""
    keys = [key for key in sorted({*golden, *found}) if golden.get(key) != found.get(key)]
    return "; ".join(f"{key}: {found.get(key)!r} where {golden.get(key)!r} was" for key in keys)
