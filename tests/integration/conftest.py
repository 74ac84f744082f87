"""The cluster with the chart installed, once a session; namespaces that go with who asked for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hack import deploy
from tests.support.cluster import Namespace, make_namespace, remove_leftovers


@pytest.fixture(scope="session")
def installed() -> None:
    """Bring up what is missing: level-triggered, so a cluster that is there is used as it is."""
    deploy.ready()
    remove_leftovers()


@pytest.fixture
def namespace(installed: None) -> Iterator[Namespace]:
    """Give the test a namespace that enforces the restricted profile."""
    made = make_namespace()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def new_namespace(installed: None) -> Iterator[Callable[[], Namespace]]:
    """Make namespaces for what a module starts at once, before its first test waits for any of it."""
    made: list[Namespace] = []

    def make() -> Namespace:
        made.append(make_namespace())
        return made[-1]

    yield make
    for one in made:
        one.remove()
