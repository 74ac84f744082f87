"""The cluster with the chart installed, once a session; a namespace of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hack import deploy
from tests.support.cluster import Namespace, make_namespace


@pytest.fixture(scope="session")
def installed() -> None:
    """Bring up what is missing: level-triggered, so a cluster that is there is used as it is."""
    deploy.ready()


@pytest.fixture
def namespace(installed: None) -> Iterator[Namespace]:
    """Give the test a namespace that enforces the restricted profile."""
    made = make_namespace()
    yield made
    made.kubectl("delete", "namespace", made.name, "--wait=false")
