"""What an installation adds to a manifest to make an attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Installation:
    """Settings of the chart that reach trainer pods."""

    trainer_image: str
    pull_policy: str
    tracking_uri: str
    coordinator_url: str = ""
    cluster_uid: str = ""
    ca_bundle: str = ""
    """PEM of the coordinator's CA; empty when no coordinator is configured or it has not published one."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a TrainingJob, as its children need it."""

    namespace: str
    job: str
    uid: str
    number: int
    spec: Mapping[str, Any]
    memory: str = ""
    deadline_seconds: int | None = None
    excluded_nodes: tuple[str, ...] = ()
