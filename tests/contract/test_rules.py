"""Rules as the API server enforces them: each refuses by naming the field, and accepts what it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.objects import Objects
from tests.support.apiserver import ApiError
from tests.support.manifests import DESIGNED
from tests.support.rulecase import RuleCase, changed, manifest_of
from tests.support.rulecases import RULE_CASES
from trainyard.api import names
from trainyard.api.schema import ROOTS, crd

pytestmark = pytest.mark.contract
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", DESIGNED)
def test_designed_manifest_is_accepted(shared: Objects, kind: str) -> None:
    assert shared.refusal(DESIGNED[kind]) == ""


@pytest.mark.parametrize("kind", DESIGNED)
def test_kubectl_applies_it_with_strict_validation(shared: Objects, kind: str) -> None:
    args = ("apply", "--namespace", shared.namespace, "--validate=strict", "--dry-run=server", "-f", "-")
    done = shared.server.kubectl(*args, stdin=yaml.safe_dump(DESIGNED[kind]))
    assert "created (server dry run)" in done.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_examples_are_accepted_and_read(shared: Objects, path: Path) -> None:
    for body in yaml.safe_load_all(path.read_text()):
        if body["kind"] in names.KINDS:
            body["metadata"].pop("namespace", None)
            assert shared.refusal(body) == ""
            ROOTS[names.KINDS[body["kind"]]].strict(body)


@pytest.mark.parametrize("case", RULE_CASES, ids=str)
def test_rule(shared: Objects, case: RuleCase) -> None:
    assert shared.refusal(manifest_of(case, refused=False)) == ""
    message = shared.refusal(manifest_of(case, refused=True))
    assert case.says in message
    assert case.field in message


def test_every_rule_has_a_case() -> None:
    messages = {m for kind in ROOTS for m in _messages(crd(kind)["spec"]["versions"][0]["schema"])}
    create_time = {m for m in messages if "immutable" not in m}
    unproved = {m for m in create_time if not any(case.says in m for case in RULE_CASES)}
    assert unproved == set()


def test_unknown_field_is_refused_by_name(shared: Objects) -> None:
    typo = changed(DESIGNED["TrainingJob"], {"spec.training.epoch": 3})
    assert 'unknown field "spec.training.epoch"' in shared.refusal(typo)


IMMUTABLE = [
    ("TrainingJob", {"spec": {"model": {"tabnet": {"nD": 32}}}}, "spec.model"),
    ("TrainingJob", {"spec": {"data": {"target": "age"}}}, "spec.data"),
    ("TrainingJob", {"spec": {"training": {"epochs": 3}}}, "spec.training"),
    ("TrainingJob", {"spec": {"training": None}}, "spec.training"),
    ("TrainingJob", {"spec": {"compute": {"nodes": 2}}}, "spec.compute"),
    ("TrainingJob", {"spec": {"tracking": {"experiment": "other"}}}, "spec.tracking"),
    ("TrainingJob", {"spec": {"runPolicy": {"queueName": "team-b"}}}, "spec.runPolicy"),
    ("TrainingJob", {"spec": {"runPolicy": None}}, "spec.runPolicy"),
    ("Study", {"spec": {"objectives": [{"metric": "val_f1", "goal": "Maximize"}]}}, "spec.objectives"),
    ("Study", {"spec": {"search": {"sampler": {"seed": 8}}}}, "spec.search"),
    ("Study", {"spec": {"template": {"spec": {"training": {"epochs": 3}}}}}, "spec.template"),
    ("Study", {"spec": {"workers": {"isolation": "Job"}}}, "spec.workers"),
    ("ModelServer", {"spec": {"model": "other"}}, "spec.model"),
]
MUTABLE = [
    ("TrainingJob", {"spec": {"runPolicy": {"suspend": True}}}),
    ("TrainingJob", {"spec": {"runPolicy": {"backoffLimit": 9, "activeDeadlineSeconds": 60}}}),
    ("TrainingJob", {"spec": {"runPolicy": {"ttlSecondsAfterFinished": None}}}),
    ("TrainingJob", {"spec": {"promotion": {"mode": "Manual"}}}),
    ("Study", {"spec": {"budget": {"maxTrials": 80, "parallelism": 2, "timeoutSeconds": None}}}),
    ("Study", {"spec": {"runPolicy": {"suspend": True}}}),
    ("ModelServer", {"spec": {"source": {"promotions": None, "version": "7"}, "replicas": 3}}),
]


@pytest.fixture(scope="module")
def stored(shared: Objects) -> Objects:
    """A namespace in which one designed object of each kind exists."""
    for manifest in DESIGNED.values():
        shared.create(manifest)
    return shared


@pytest.mark.parametrize(("kind", "patch", "field"), IMMUTABLE)
def test_immutable(stored: Objects, kind: str, patch: dict[str, Any], field: str) -> None:
    name = DESIGNED[kind]["metadata"]["name"]
    with pytest.raises(ApiError) as refused:
        stored.merge(kind, name, patch)
    assert refused.value.status == 422
    assert f"{field}: Invalid value" in refused.value.message
    assert "is immutable" in refused.value.message


@pytest.mark.parametrize(("kind", "patch"), MUTABLE)
def test_may_change_while_it_runs(stored: Objects, kind: str, patch: dict[str, Any]) -> None:
    name = DESIGNED[kind]["metadata"]["name"]
    before = stored.get(kind, name)["metadata"]["generation"]
    assert stored.merge(kind, name, patch)["metadata"]["generation"] == before + 1


def _messages(node: Any) -> set[str]:
    """Messages of all rules below a schema; key bounds have none."""
    if isinstance(node, list):
        return set().union(*(_messages(item) for item in node)) if node else set()
    if not isinstance(node, dict):
        return set()
    rules = node.get("x-kubernetes-validations", [])
    own = {rule["message"] for rule in rules if isinstance(rule, dict) and "message" in rule}
    return own.union(*(_messages(value) for value in node.values()))
