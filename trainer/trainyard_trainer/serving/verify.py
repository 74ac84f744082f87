"""The verify Job: ask through the Service, as a user would, until the new version has proved itself.

Right after a rollout a connection may still reach a pod that goes. So asking counts from a few right answers
in a row; from then on a wrong answer is the end, and failures to answer are counted against a rate.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from trainyard_trainer.errors import JobError
from trainyard_trainer.serving.ask import Answer, Asker
from trainyard_trainer.serving.recorded import Recorded
from trainyard_trainer.serving.settings import number, required

RESULT = "/dev/termination-log"
SETTLED_AFTER, SETTLE_SECONDS, PAUSE = 5, 30.0, 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the operator reads."""

    ok: bool
    requests: int
    errors: int
    message: str


@dataclass(frozen=True, slots=True)
class Terms:
    """How long to ask, and which share may fail."""

    seconds: float
    max_error_rate: float
    settle_seconds: float = SETTLE_SECONDS


def verify(ask: Callable[[], Answer], terms: Terms) -> Verdict:
    """Ask until the time is up or something is wrong."""
    if (why := _settle(ask, terms.settle_seconds)) is not None:
        return Verdict(
            False, 0, 0, f"no {SETTLED_AFTER} right answers in a row within {terms.settle_seconds:g} s: {why}"
        )
    requests = errors = 0
    last = ""
    until = time.monotonic() + terms.seconds
    while requests == 0 or time.monotonic() < until:
        answer = ask()
        requests += 1
        if answer.wrong:
            return Verdict(False, requests, errors + 1, answer.problem)
        if answer.problem:
            errors, last = errors + 1, answer.problem
        time.sleep(PAUSE)
    rate = errors / requests
    if rate > terms.max_error_rate:
        said = (
            f"{errors} of {requests} requests failed ({rate:.2%}; at most {terms.max_error_rate:.2%}): {last}"
        )
        return Verdict(False, requests, errors, said)
    return Verdict(True, requests, errors, f"{requests} requests, {errors} failed; all answers as recorded")


def _settle(ask: Callable[[], Answer], seconds: float) -> str | None:
    """Wait for right answers in a row; the last problem comes back when they do not come."""
    deadline, row, last = time.monotonic() + seconds, 0, "no answer"
    while row < SETTLED_AFTER:
        answer = ask()
        row = 0 if answer.problem else row + 1
        last = answer.problem or last
        if row < SETTLED_AFTER:
            if time.monotonic() > deadline:
                return last
            time.sleep(PAUSE)
    return None


def from_env(env: Mapping[str, str]) -> tuple[Asker, Terms]:
    """Whom to ask and how long, from TRAINYARD_* variables.

    Raises:
        JobError: A variable is missing or cannot be used, or there is no package.
    """
    folder = Path(env.get("TRAINYARD_MODEL_DIR") or "/model")
    tokens = env.get("TRAINYARD_TOKENS_DIR")
    asker = Asker(
        url=required(env, "TRAINYARD_URL").rstrip("/"),
        name=required(env, "TRAINYARD_MODEL_NAME"),
        version=required(env, "TRAINYARD_MODEL_VERSION"),
        recorded=Recorded.read(folder),
        tokens=Path(tokens) if tokens else None,
    )
    terms = Terms(
        seconds=number(env, "TRAINYARD_VERIFY_SECONDS", 30, 0, 86_400),
        max_error_rate=number(env, "TRAINYARD_MAX_ERROR_RATE", 0.01, 0, 1),
        settle_seconds=number(env, "TRAINYARD_SETTLE_SECONDS", SETTLE_SECONDS, 0, 86_400),
    )
    return asker, terms


def main() -> int:
    """0 when the version has proved itself, else 1; the verdict goes to the termination message."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        asker, terms = from_env(os.environ)
        verdict = verify(asker.ask, terms)
    except JobError as error:
        verdict = Verdict(False, 0, 0, f"{error.message}; {error.remedy}")
    except (OSError, KeyError, ValueError) as error:
        verdict = Verdict(False, 0, 0, f"the package cannot be read: {type(error).__name__}: {error}")
    line = json.dumps(asdict(verdict))
    print(line, flush=True)
    path = Path(os.environ.get("TRAINYARD_RESULT", RESULT))
    try:
        path.write_text(line)
    except OSError as error:
        print(f"the verdict cannot be written to {path}: {error.strerror}", file=sys.stderr)
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
