"""The chart before a real API server: every object is accepted, every pod passes the restricted profile."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from hack import tools
from tests.support.apiserver import ApiError, ApiServer, Body

pytestmark = pytest.mark.contract
CHART = Path(__file__).resolve().parents[2] / "charts" / "trainyard"
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}


def render(namespace: str, *values: str) -> str:
    tools.ensure(["helm"])
    sets = [word for value in values for word in ("--set", value)]
    command = [tools.path("helm"), "template", "trainyard", CHART, "-n", namespace, *sets]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def restricted(apiserver: ApiServer, namespace: str) -> str:
    body: Body = {"metadata": {"labels": RESTRICTED}}
    apiserver.request(
        "PATCH", f"/api/v1/namespaces/{namespace}", body, content_type="application/merge-patch+json"
    )
    return namespace


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["watchNamespaces={default}"],
        ["mlflow.enabled=false", "mlflow.trackingUri=http://elsewhere:5000"],
        ["mlflow.service.type=NodePort", "mlflow.service.nodePort=30500", "mlflow.persistence.enabled=false"],
    ],
    ids=["defaults", "namespaced", "elsewhere", "node port"],
)
def test_every_object_is_accepted_as_written(
    apiserver: ApiServer, restricted: str, values: list[str]
) -> None:
    """Strictly: an unknown field, a warning of the Pod Security profile or a bad number would show."""
    done = apiserver.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"),
        stdin=render(restricted, *values),
    )
    assert "Warning" not in done.stderr
    assert "deployment.apps/trainyard-operator serverside-applied" in done.stdout


def test_every_pod_passes_the_restricted_profile(apiserver: ApiServer, restricted: str) -> None:
    """As pods, which the profile refuses; a Deployment that breaks it is only warned about."""
    bodies = [body for body in yaml.safe_load_all(render(restricted, "crds.enabled=false")) if body]
    pods = f"/api/v1/namespaces/{restricted}/pods"
    for body in bodies:
        if body["kind"] == "ServiceAccount":
            apiserver.request("POST", pods.replace("pods", "serviceaccounts"), body)
    deployments = [body for body in bodies if body["kind"] == "Deployment"]
    assert len(deployments) == 3
    for body in deployments:
        pod = body["spec"]["template"]
        pod["metadata"]["name"] = body["metadata"]["name"]
        apiserver.request("POST", pods, pod, dryRun="All")
        del pod["spec"]["containers"][0]["securityContext"]
        with pytest.raises(ApiError, match="violates PodSecurity"):
            apiserver.request("POST", pods, pod, dryRun="All")
