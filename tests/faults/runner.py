"""Plans, several at a time, each with an operator and a namespace of its own on one API server."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.faults.plans import Fault, Plan, Trace
from tests.faults.scenario import Life, difference
from tests.support.apiserver import ApiServer
from tests.support.operator_process import Body

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a plan went."""

    plan: Plan
    reached: bool
    problems: tuple[str, ...]


def golden_run(server: ApiServer, folder: Path) -> tuple[Trace, Body]:
    """The undisturbed scenario: its writes and events, and its end.

    Raises:
        RuntimeError: Not even that works.
    """
    life = Life(_own(server), _namespace(server), Plan(), folder / "golden")
    end = life.run()
    if life.problems:
        raise RuntimeError(f"the golden run: {'; '.join(life.problems)}")
    return life.trace, end


class Suite:
    """Plans against a golden end."""

    def __init__(self, server: ApiServer, folder: Path, golden: Body) -> None:
        self._server, self._folder, self._golden = server, folder, golden

    def run(self, wanted: Iterable[Plan], jobs: int, say: Callable[[str], None]) -> Iterator[Verdict]:
        """All of them, in their order; each failure is said at once."""
        with ThreadPoolExecutor(jobs) as pool:
            for verdict in pool.map(self._one, wanted):
                if verdict.problems:
                    say(f"FAILED {verdict.plan}: {'; '.join(verdict.problems)}")
                yield verdict

    def _one(self, plan: Plan) -> Verdict:
        namespace = _namespace(self._server)
        life = Life(_own(self._server), namespace, plan, self._folder / namespace)
        end = life.run()
        problems = list(life.problems)
        if not problems and not _refused(plan, end) and (odd := difference(self._golden, end)):
            problems.append(odd)
        if problems:
            problems.append(f"writes: {life.trace.writes}; states: {life.states}")
        return Verdict(plan, life.trace.reached, tuple(problems))


def _refused(plan: Plan, end: Body) -> bool:
    """A child that the API server calls invalid ends the job: that is what 422 means there."""
    return plan.fault is Fault.UNPROCESSABLE and end.get("state") == "Failed"


def _own(server: ApiServer) -> ApiServer:
    """The same server with a connection of this thread's own."""
    return ApiServer(server.folder, port=server.port, token=server.token)


def _namespace(server: ApiServer) -> str:
    name = f"faults-{next(_numbers)}"
    _own(server).create_namespace(re.sub(r"[^a-z0-9-]", "-", name))
    return name
