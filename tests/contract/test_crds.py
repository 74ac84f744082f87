"""The API server accepts the generated CRDs."""

from __future__ import annotations

import pytest

from tests.support.apiserver import ApiServer
from trainyard.api import names

pytestmark = pytest.mark.contract


@pytest.mark.parametrize("kind", names.KINDS.values(), ids=lambda kind: kind.kind)
def test_established_without_complaint(apiserver: ApiServer, kind: names.Kind) -> None:
    crd = apiserver.request("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind.crd}")
    conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
    assert conditions["NamesAccepted"] == "True"
    assert conditions["Established"] == "True"
    assert "NonStructuralSchema" not in conditions
