"""Names of children: deterministic, so that a second creation collides instead of duplicating."""

from __future__ import annotations

from trainyard.api.names import NAME_MAX

SUFFIX_MAX = 63 - NAME_MAX


def attempt_name(job: str, attempt: int) -> str:
    """Name of everything that belongs to one attempt of a TrainingJob: Job, ConfigMap, Service of a group.

    >>> attempt_name("adult", 2)
    'adult-tj-a2'
    """
    return f"{job}-tj-a{attempt}"


def deployment_name(server: str) -> str:
    """Name of a ModelServer's Deployment.

    >>> deployment_name("adult-income")
    'adult-income-ms'
    """
    return f"{server}-ms"


def verify_name(server: str, version: str, number: int) -> str:
    """Name of the Job that verifies a version of a ModelServer; the number tells its tries apart.

    >>> verify_name("adult-income", "7", 3)
    'adult-income-ms-v7-3'
    """
    return f"{server}-ms-v{version}-{number}"
