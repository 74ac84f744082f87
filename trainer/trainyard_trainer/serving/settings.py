"""What a server is told by its environment, read once and checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainyard_trainer.errors import InvalidSpec

EVERYWHERE, LOOPBACK = "0.0.0.0", "127.0.0.1"  # noqa: S104 - a pod's ports


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration. Without tokens and without `anonymous` every question is refused."""

    model_dir: Path
    name: str
    version: str
    sha256: str | None = None
    tokens: Path | None = None
    """A folder whose files are tokens, or one file that is a token."""
    anonymous: bool = False
    host: str = EVERYWHERE
    port: int = 8080
    metrics_port: int | None = 9090
    drain_seconds: float = 30.0
    max_body_bytes: int = 10_485_760
    max_rows: int = 10_000
    max_concurrency: int = 64
    timeout_seconds: float = 30.0


def from_env(env: Mapping[str, str]) -> Settings:
    """Read settings from TRAINYARD_* variables.

    >>> from_env({"TRAINYARD_MODEL_NAME": "adult", "TRAINYARD_MODEL_VERSION": "3"}).model_dir.as_posix()
    '/model'

    Raises:
        InvalidSpec: A variable is missing or cannot be used; the message names it.
    """
    tokens = env.get("TRAINYARD_TOKENS_DIR")
    return Settings(
        model_dir=Path(env.get("TRAINYARD_MODEL_DIR") or "/model"),
        name=required(env, "TRAINYARD_MODEL_NAME"),
        version=required(env, "TRAINYARD_MODEL_VERSION"),
        sha256=env.get("TRAINYARD_SHA256") or None,
        tokens=Path(tokens) if tokens else None,
        anonymous=env.get("TRAINYARD_ANONYMOUS", "").lower() in ("1", "true"),
        host=env.get("TRAINYARD_HOST") or EVERYWHERE,
        port=int(number(env, "TRAINYARD_PORT", 8080, 1, 65535)),
        metrics_port=int(number(env, "TRAINYARD_METRICS_PORT", 9090, 1, 65535)),
        drain_seconds=number(env, "TRAINYARD_DRAIN_SECONDS", 30, 0, 3600),
        max_body_bytes=int(number(env, "TRAINYARD_MAX_BODY_BYTES", 10_485_760, 1, 2**40)),
        max_rows=int(number(env, "TRAINYARD_MAX_ROWS", 10_000, 1, 2**40)),
        max_concurrency=int(number(env, "TRAINYARD_MAX_CONCURRENCY", 64, 1, 2**20)),
        timeout_seconds=number(env, "TRAINYARD_TIMEOUT_SECONDS", 30, 0.001, 86400),
    )


def required(env: Mapping[str, str], name: str) -> str:
    """A variable that must be there.

    Raises:
        InvalidSpec: It is not.
    """
    if not (value := env.get(name, "").strip()):
        raise InvalidSpec(
            f"{name} is not set", "the operator sets it; by hand, set it to what it is named after"
        )
    return value


def number(env: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    """A number within bounds, or the default where silent.

    Raises:
        InvalidSpec: It is none, or out of bounds.
    """
    text = env.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise InvalidSpec(f"{name}={text!r} cannot be used", f"set a number from {least:g} to {most:g}")
    return value
