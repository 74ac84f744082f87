"""Fixtures that several suites share."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apiserver import ApiServer
from tests.support.tracking import TrackingServer

ROOT = Path(__file__).resolve().parents[1]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def apiserver() -> Iterator[ApiServer]:
    """A real API server with our CRDs; one for the whole run, so tests use namespaces of their own."""
    with ApiServer.start() as server:
        server.install_crds(ROOT / "crds")
        yield server


@pytest.fixture(scope="session")
def controllers(apiserver: ApiServer) -> ApiServer:
    """The same API server with Kubernetes' controllers running: Jobs get pods, orphans are collected."""
    apiserver.start_controller_manager()
    return apiserver


@pytest.fixture
def namespace(apiserver: ApiServer) -> str:
    """A namespace of the test's own."""
    return apiserver.create_namespace(f"test-{next(_numbers)}")


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    """A real MLflow server; one for the whole run, so tests use registered names of their own."""
    server = TrackingServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def logged(tracking: TrackingServer) -> tuple[str, str]:
    """A model in it: URI and run."""
    return tracking.log_model()


@pytest.fixture(autouse=True)
def _no_tracking_address_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow keeps its address, and exports it; a test starts without that of the one before."""
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
