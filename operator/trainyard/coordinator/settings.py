"""What the coordinator is told by its environment, read once and checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn


class SettingsError(ValueError):
    """A TRAINYARD_* variable that cannot be used; the message names it and says what is expected."""


@dataclass(frozen=True, slots=True)
class ConfigMapRef:
    """Where the CA bundle is published."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The coordinator's whole configuration."""

    namespaces: tuple[str, ...] = ()
    """Namespaces watched; none means all of them."""
    port: int = 8443
    http_port: int = 8080
    storage: Path = Path("/var/lib/trainyard")
    sans: tuple[str, ...] = ()
    ca_configmap: ConfigMapRef | None = None
    log_level: str = "INFO"
    write_interval: float = 10.0
    """Least seconds between two status writes of one object."""
    report_interval: float = 2.0
    """Seconds after which a trainer is asked to report again."""


def from_env(env: Mapping[str, str]) -> Settings:
    """Read settings from environment variables.

    >>> from_env({"TRAINYARD_WATCH_NAMESPACES": "a, b"}).namespaces
    ('a', 'b')
    """
    default = Settings()
    return Settings(
        namespaces=_list(env.get("TRAINYARD_WATCH_NAMESPACES", "")),
        port=_port(env, "TRAINYARD_COORDINATOR_PORT", default.port),
        http_port=_port(env, "TRAINYARD_HTTP_PORT", default.http_port),
        storage=Path(env.get("TRAINYARD_STORAGE_DIR") or default.storage),
        sans=_list(env.get("TRAINYARD_COORDINATOR_SANS", "")),
        ca_configmap=_configmap(env.get("TRAINYARD_COORDINATOR_CA", "")),
        log_level=_level(env.get("TRAINYARD_LOG_LEVEL", default.log_level)),
    )


def _refuse(name: str, value: str, expected: str) -> NoReturn:
    raise SettingsError(f"{name}={value!r} cannot be used: expected {expected}")


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        _refuse(name, text, "a port number from 1 to 65535")
    return int(text)


def _configmap(text: str) -> ConfigMapRef | None:
    if not text.strip():
        return None
    namespace, slash, name = text.strip().partition("/")
    if not (namespace and slash and name) or "/" in name:
        _refuse("TRAINYARD_COORDINATOR_CA", text, "NAMESPACE/CONFIGMAP, or nothing to publish no bundle")
    return ConfigMapRef(namespace, name)


def _level(text: str) -> str:
    level = text.strip().upper() or "INFO"
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        _refuse("TRAINYARD_LOG_LEVEL", text, "DEBUG, INFO, WARNING or ERROR")
    return level
