"""Names of children: deterministic, so that a second creation collides instead of duplicating."""

from __future__ import annotations

from trainyard.api.names import NAME_MAX

SUFFIX_MAX = 63 - NAME_MAX


def attempt_name(job: str, attempt: int) -> str:
    """Name of the Job and ConfigMap of a TrainingJob's attempt.

    >>> attempt_name("adult", 2)
    'adult-tj-a2'
    """
    return f"{job}-tj-a{attempt}"
