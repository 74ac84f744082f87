"""An OCI runtime in front of runc for hosts that may not give CAP_SYS_RESOURCE.

Docker asks for every capability in privileged containers, and runc refuses the whole container when one of
them is not ours to give. dockerd calls this file as its runtime: the capability is taken out of the spec, a
negative oom_score_adj (which needs it) is raised to 0, and runc goes on. Stands alone: dockerd runs it as is.
"""

import itertools
import json
import os
import sys
from typing import Any

CAPABILITY = "CAP_SYS_RESOURCE"


def weaken(process: dict[str, Any]) -> dict[str, Any]:
    """Take out of an OCI process what the host cannot give."""
    for names in (process.get("capabilities") or {}).values():
        if names and CAPABILITY in names:
            names.remove(CAPABILITY)
    if (process.get("oomScoreAdj") or 0) < 0:
        process["oomScoreAdj"] = 0
    return process


def spec_files(arguments: list[str]) -> list[tuple[str, bool]]:
    """Find the files that hold a process: (path, whether it is a whole bundle's config)."""
    found = []
    for flag, value in itertools.pairwise(arguments):
        if flag in {"--bundle", "-b"}:
            found.append((os.path.join(value, "config.json"), True))  # noqa: PTH118
        elif flag in {"--process", "-p"}:
            found.append((value, False))
    return found


def main() -> None:
    """Rewrite the spec files in place and become runc."""
    for path, whole in spec_files(sys.argv[1:]):
        if os.path.isfile(path):  # noqa: PTH113
            with open(path, encoding="utf-8") as file:  # noqa: PTH123
                spec = json.load(file)
            weaken(spec.get("process") or {} if whole else spec)
            with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
                json.dump(spec, file)
    os.execvp("runc", ["runc", *sys.argv[1:]])


if __name__ == "__main__":
    main()
