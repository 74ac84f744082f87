"""Whole objects: the largest possible, nothing pruned, status in two hands, columns and explanations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.objects import Objects
from tests.support.apiserver import APPLY, MERGE, ApiError
from tests.support.manifests import DESIGNED, Manifest
from tests.support.samples import TIME, Sampler, Schema
from trainyard.api import names
from trainyard.api.schema import ROOTS, crd
from trainyard.api.trainingjob import TrainingJob

pytestmark = pytest.mark.contract

KINDS = pytest.mark.parametrize("kind", names.KINDS.values(), ids=lambda kind: kind.kind)
CONFIGMAP_MAX = 1_048_576


def _made(kind: names.Kind, sampler: Sampler) -> tuple[Manifest, dict[str, Any]]:
    schema: Schema = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    body = {
        "apiVersion": names.API_VERSION,
        "kind": kind.kind,
        "metadata": {"name": "a" * names.NAME_MAX},
        "spec": sampler.make(schema["spec"]),
    }
    status = sampler.make(schema["status"])
    return body, status


@KINDS
@pytest.mark.parametrize("large", [False, True], ids=["full", "largest"])
def test_comes_back_as_it_was_written(objects: Objects, kind: names.Kind, large: bool) -> None:
    """Create, write the whole status, read: nothing is pruned, nothing is too large for etcd."""
    body, status = _made(kind, Sampler(large=large))
    objects.create(body)
    objects.merge(kind.kind, body["metadata"]["name"], {"status": status}, "status")
    stored = objects.get(kind.kind, body["metadata"]["name"])
    assert stored["spec"] == body["spec"]
    assert stored["status"] == status
    read = ROOTS[kind].model_validate(stored)
    written = read.to_kubernetes(defaults=False)
    assert written["spec"] == body["spec"]
    assert written["status"] == status


def test_the_largest_trainingjob_fits_into_its_configmap() -> None:
    body, _ = _made(names.TRAININGJOB, Sampler(large=True))
    assert len(json.dumps(body["spec"])) < 0.9 * CONFIGMAP_MAX


@KINDS
def test_spec_writes_leave_status_alone_and_the_reverse(objects: Objects, kind: names.Kind) -> None:
    manifest = DESIGNED[kind.kind]
    name = manifest["metadata"]["name"]
    created = objects.create({**manifest, "status": {"message": "forged"}})
    assert "status" not in created
    patched = objects.merge(kind.kind, name, {"status": {"message": "true"}, "spec": {"forged": 1}}, "status")
    assert patched["status"] == {"message": "true"}
    assert patched["spec"] == created["spec"]
    assert patched["metadata"]["generation"] == 1


def test_defaults_are_written_into_the_object(objects: Objects) -> None:
    manifest = {
        "apiVersion": names.API_VERSION,
        "kind": "TrainingJob",
        "metadata": {"name": "short"},
        "spec": {"model": {"tabnet": {}}, "data": {"source": {"uri": "sample://wine"}}, "training": {}},
    }
    spec = objects.create(manifest)["spec"]
    assert spec["model"]["tabnet"]["gamma"] == 1.3
    assert spec["training"]["epochs"] == 50
    assert "compute" not in spec
    read, written = TrainingJob.model_validate({**manifest, "spec": spec}), TrainingJob.strict(manifest)
    assert read.spec == written.spec


PROGRESS = {"epoch": 3, "epochs": 50, "percent": 6, "summary": "3/50", "metrics": {"val_roc_auc": 0.9}}


def _conditions(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {"type": t, "status": s, "reason": "Testing", "message": "m", "lastTransitionTime": TIME}
        for t, s in pairs
    ]


def test_two_managers_share_status_without_disturbing_each_other(objects: Objects) -> None:
    objects.create(DESIGNED["TrainingJob"])
    running = {"state": "Running", "attempt": 1, "conditions": _conditions(("Running", "True"))}
    objects.apply_status("TrainingJob", "adult", running, names.MANAGER_OPERATOR)
    objects.apply_status("TrainingJob", "adult", {"progress": PROGRESS}, names.MANAGER_COORDINATOR)
    done = {"state": "Succeeded", "conditions": _conditions(("Running", "False"), ("Succeeded", "True"))}
    objects.apply_status("TrainingJob", "adult", done, names.MANAGER_OPERATOR)
    later = {**PROGRESS, "epoch": 4}
    status = objects.apply_status("TrainingJob", "adult", {"progress": later}, names.MANAGER_COORDINATOR)[
        "status"
    ]
    assert status == {**done, "progress": later}
    owners = {
        (entry["manager"], entry.get("subresource"))
        for entry in objects.get("TrainingJob", "adult")["metadata"]["managedFields"]
        if entry["operation"] == "Apply"
    }
    assert owners == {(names.MANAGER_OPERATOR, "status"), (names.MANAGER_COORDINATOR, "status")}


def test_one_manager_withdraws_only_its_own(objects: Objects) -> None:
    objects.create(DESIGNED["TrainingJob"])
    objects.apply_status(
        "TrainingJob", "adult", {"state": "Running", "reason": "Training"}, names.MANAGER_OPERATOR
    )
    objects.apply_status("TrainingJob", "adult", {"progress": PROGRESS}, names.MANAGER_COORDINATOR)
    left = objects.apply_status("TrainingJob", "adult", {"state": "Failed"}, names.MANAGER_OPERATOR)["status"]
    assert left == {"state": "Failed", "progress": PROGRESS}


UNKNOWN_UID = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize("how", ["merge-resourceVersion", "apply-resourceVersion", "json-test-uid"])
def test_preconditions_that_hold_on_status(objects: Objects, how: str) -> None:
    """A write decided for an object that was replaced since must not reach its namesake."""
    objects.create(DESIGNED["TrainingJob"])
    path = objects.path("TrainingJob", "adult", "status")
    status = {"state": "Failed"}
    kind, _, field = how.partition("-")
    metadata = {"name": "adult", field: UNKNOWN_UID if field == "uid" else "1"}
    body: Any = {"metadata": metadata, "status": status}
    content = MERGE
    query = {}
    if kind == "apply":
        body |= {"apiVersion": names.API_VERSION, "kind": "TrainingJob"}
        content, query = APPLY, {"fieldManager": "x", "force": "true"}
    elif kind == "json":
        test = {"op": "test", "path": "/metadata/uid", "value": UNKNOWN_UID}
        body = [test, {"op": "add", "path": "/status", "value": status}]
        content = "application/json-patch+json"
    with pytest.raises(ApiError) as refused:
        objects.server.request("PATCH", path, body, content_type=content, **query)
    assert refused.value.status in (409, 422)


def test_uid_is_no_precondition_on_status(objects: Objects) -> None:
    """Known trap: the API server ignores metadata.uid in patches of status, so nobody may rely on it."""
    objects.create(DESIGNED["TrainingJob"])
    stale = {"metadata": {"uid": UNKNOWN_UID}, "status": {"state": "Failed"}}
    assert objects.merge("TrainingJob", "adult", stale, "status")["status"]["state"] == "Failed"


def test_columns_read_well(objects: Objects) -> None:
    objects.create(DESIGNED["TrainingJob"])
    status = {
        "state": "Running",
        "restarts": 0,
        "progress": {**PROGRESS, "metric": "val_roc_auc=0.993", "eta": "8s"},
    }
    objects.merge("TrainingJob", "adult", {"status": status}, "status")
    lines = objects.server.kubectl("get", "tj", "-n", objects.namespace).stdout.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "PROGRESS", "METRIC", "ETA", "RESTARTS", "AGE"]
    assert lines[1].split()[:6] == ["adult", "Running", "3/50", "val_roc_auc=0.993", "8s", "0"]
    selected = objects.server.kubectl(
        "get", "tj", "-n", objects.namespace, "--field-selector", "status.state=Failed"
    )
    assert "No resources found" in selected.stderr


@pytest.mark.parametrize(
    ("resource", "header"),
    [
        ("study", "NAME STATE TRIALS RUNNING PRUNED FAILED BEST AGE"),
        ("ms", "NAME STATE VERSION TARGET READY REPLICAS AGE"),
        ("trainyard", "NAME STATE"),
    ],
)
def test_columns_of_other_kinds(objects: Objects, resource: str, header: str) -> None:
    for manifest in DESIGNED.values():
        objects.create(manifest)
    printed = objects.server.kubectl("get", resource, "-n", objects.namespace).stdout
    assert header.split() == printed.splitlines()[0].split()[: len(header.split())]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("tj.spec.data", "The data set and what its columns mean"),
        ("tj.spec.data.split.by", "Hash (duplicates stay together)"),
        ("tj.spec.compute.podTemplate.affinity", "Where pods would rather, or must, run"),
        ("study.spec.budget.maxTrials", "Trials to start; exact"),
        ("study.spec.template.spec", "See kubectl explain tj.spec"),
        ("ms.spec.source", "Who decides the version"),
    ],
)
def test_explain_says_what_a_field_means(apiserver: Any, path: str, says: str) -> None:
    assert says in " ".join(apiserver.kubectl("explain", path).stdout.split())


def test_scale_works_on_a_modelserver(objects: Objects) -> None:
    objects.create(DESIGNED["ModelServer"])
    objects.server.kubectl("scale", "ms/adult-income", "--replicas=3", "-n", objects.namespace)
    assert objects.get("ModelServer", "adult-income")["spec"]["replicas"] == 3
