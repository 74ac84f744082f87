"""Fixtures of the contract tests."""

from __future__ import annotations

import pytest

from tests.contract.objects import Objects
from tests.support.apiserver import ApiServer


@pytest.fixture(scope="module")
def shared(apiserver: ApiServer, request: pytest.FixtureRequest) -> Objects:
    """A namespace for a module's dry runs, which leave nothing behind."""
    name = request.module.__name__.rsplit(".", 1)[-1].replace("_", "-")
    return Objects(apiserver, apiserver.create_namespace(f"shared-{name}"))


@pytest.fixture
def objects(apiserver: ApiServer, namespace: str) -> Objects:
    """A namespace of the test's own."""
    return Objects(apiserver, namespace)
