"""`python -m tests.faults`: every plan, or some; prints each that fails, and passed / plans.

--smoke 30      so many plans, spread over kinds and places
--only TEXT     plans whose name contains it
--jobs N        so many at a time
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.faults.plans import plans, spread
from tests.faults.runner import Suite, golden_run
from tests.support.apiserver import ApiServer

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "bench" / "faults.json"


def main() -> int:
    """Run; 1 when a plan fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--smoke", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=3)
    chosen = parser.parse_args()
    started = time.monotonic()
    with ApiServer.start() as server, tempfile.TemporaryDirectory() as folder:
        server.install_crds(ROOT / "crds")
        server.start_controller_manager()
        trace, end = golden_run(server, Path(folder))
        every = list(plans(trace))
        wanted = spread(every, chosen.smoke) if chosen.smoke else every
        wanted = [plan for plan in wanted if chosen.only in str(plan)]
        events = sum(trace.events.values())
        print(f"golden run: {len(trace.writes)} writes, {events} events, {len(every)} plans", flush=True)
        verdicts = list(Suite(server, Path(folder), end).run(wanted, chosen.jobs, print))
    failed = [verdict for verdict in verdicts if verdict.problems]
    kinds = Counter(str(v.plan.fault) for v in verdicts)
    missed = sum(not v.reached for v in verdicts)
    seconds = time.monotonic() - started
    print(
        f"{len(verdicts) - len(failed)} / {len(verdicts)} plans passed in {seconds:.0f} s "
        f"({missed} places were not come to)"
    )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "name": "plans passed",
            "value": len(verdicts) - len(failed),
            "unit": "plans",
            "target": len(verdicts),
            "ok": not failed,
            "peer": None,
            "note": f"of {len(every)} possible",
        },
        *(
            {
                "name": kind,
                "value": sum(not v.problems for v in verdicts if v.plan.fault == kind),
                "unit": "plans",
                "target": count,
                "ok": None,
                "peer": None,
                "note": "",
            }
            for kind, count in kinds.items()
        ),
    ]
    OUT.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
