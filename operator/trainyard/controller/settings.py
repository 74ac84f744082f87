"""The operator's configuration, read once from the environment that the chart sets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


class BadSettings(ValueError):  # noqa: N818 - reads as what it is in a log
    """The environment does not make a configuration; the message names the variable and the remedy."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an installation decides."""

    trainer_image: str
    tracking_uri: str
    namespaces: tuple[str, ...] = ()
    """Namespaces to watch; all when empty."""
    pull_policy: str = "IfNotPresent"
    coordinator_url: str = ""
    coordinator_ca: tuple[str, str] | None = None
    """Namespace and name of the ConfigMap that holds the coordinator's CA."""
    pod_namespace: str = "default"
    pod_name: str = "operator"
    """Different for each process that may run at the same time: it holds the lease under this name."""
    lease: str = ""
    """Name of the Lease in pod_namespace whose holder writes; empty where there is only one operator."""
    http_port: int = 8080
    log_level: str = "INFO"
    resync_seconds: float = 300.0
    watch_silence_seconds: float = 70.0
    """A watch that brings nothing for so long is opened anew; the API server says something once a minute."""
    concurrency: int = 6
    """Passes at a time. More make a burst slower: the API server's CPU is what a start waits for."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read TRAINYARD_* variables.

        Raises:
            BadSettings: when one is missing or malformed.
        """
        return cls(
            trainer_image=_required(env, "TRAINYARD_TRAINER_IMAGE", "the image of trainer pods"),
            tracking_uri=_required(env, "TRAINYARD_TRACKING_URI", "the address of the MLflow server"),
            namespaces=tuple(_list(env.get("TRAINYARD_WATCH_NAMESPACES", ""))),
            pull_policy=env.get("TRAINYARD_IMAGE_PULL_POLICY") or "IfNotPresent",
            coordinator_url=env.get("TRAINYARD_COORDINATOR_URL", ""),
            coordinator_ca=_reference(env.get("TRAINYARD_COORDINATOR_CA", "")),
            pod_namespace=env.get("TRAINYARD_POD_NAMESPACE") or "default",
            pod_name=env.get("TRAINYARD_POD_NAME") or f"{env.get('HOSTNAME') or 'operator'}-{os.getpid()}",
            lease=env.get("TRAINYARD_LEASE", ""),
            http_port=int(_number(env, "TRAINYARD_HTTP_PORT", 8080)),
            log_level=(env.get("TRAINYARD_LOG_LEVEL") or "INFO").upper(),
            resync_seconds=_number(env, "TRAINYARD_RESYNC_SECONDS", 300),
            watch_silence_seconds=_number(env, "TRAINYARD_WATCH_SILENCE_SECONDS", 70),
            concurrency=int(_number(env, "TRAINYARD_CONCURRENCY", 6)),
        )


def _required(env: Mapping[str, str], name: str, what: str) -> str:
    value = env.get(name, "")
    if not value:
        raise BadSettings(f"{name} is not set: it gives {what}; the chart sets it")
    return value


def _list(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _reference(value: str) -> tuple[str, str] | None:
    if not value:
        return None
    namespace, slash, name = value.partition("/")
    if not (namespace and slash and name):
        raise BadSettings(f"TRAINYARD_COORDINATOR_CA={value!r}: write it as namespace/configmap")
    return namespace, name


def _number(env: Mapping[str, str], name: str, default: float) -> float:
    value = env.get(name)
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if number <= 0:
        raise BadSettings(f"{name}={value!r}: write a number above 0")
    return number
