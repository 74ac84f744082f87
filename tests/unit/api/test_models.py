"""Reading manifests: strict for people, lenient for objects from newer versions."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from tests.support.manifests import DESIGNED, TRAININGJOB
from tests.support.rulecase import RuleCase, changed, manifest_of
from tests.support.rulecases import RULE_CASES
from trainyard.api import names
from trainyard.api.base import InvalidManifest, camel
from trainyard.api.families import TabNet
from trainyard.api.meta import Condition, ConditionStatus
from trainyard.api.schema import ROOTS
from trainyard.api.search import Parameter
from trainyard.api.status import FailureStatus, ProgressStatus
from trainyard.api.study import Study
from trainyard.api.trainingjob import TrainingJob


@pytest.mark.parametrize("case", RULE_CASES, ids=str)
def test_the_models_agree_with_the_api_server(case: RuleCase) -> None:
    """The same table that tests/contract/test_rules.py sends to a real API server."""
    root = ROOTS[names.KINDS[case.kind]]
    root.strict(manifest_of(case, refused=False))
    with pytest.raises(InvalidManifest) as refused:
        root.strict(manifest_of(case, refused=True))
    assert any(case.field in problem and case.says in problem for problem in refused.value.problems)


@pytest.mark.parametrize("kind", DESIGNED)
def test_a_manifest_comes_back_as_it_was_written(kind: str) -> None:
    manifest = DESIGNED[kind]
    assert ROOTS[names.KINDS[kind]].strict(manifest).to_kubernetes(defaults=False) == manifest


def test_problems_name_each_field() -> None:
    manifest = changed(
        TRAININGJOB,
        {"spec.training.epoch": 3, "spec.training.batchSize": 0, "spec.model.tabnet.nD": "many"},
    )
    with pytest.raises(InvalidManifest) as refused:
        TrainingJob.strict(manifest)
    assert sorted(problem.split(":")[0] for problem in refused.value.problems) == [
        "spec.model.tabnet.nD",
        "spec.training.batchSize",
        "spec.training.epoch",
    ]
    assert "spec.training.epoch: no such field" in refused.value.problems


def test_an_older_version_reads_a_newer_object() -> None:
    newer = changed(
        TRAININGJOB, {"spec.training.swarm": {"size": 3}, "status": {"state": "Running", "mood": "fine"}}
    )
    job = TrainingJob.model_validate(newer)
    assert job.status is not None
    assert job.status.state == "Running"
    assert "swarm" not in job.spec.training.to_kubernetes()


def test_a_family_of_a_newer_version_is_named_as_the_problem() -> None:
    job = TrainingJob.model_validate(changed(TRAININGJOB, {"spec.model": {"transformer": {}}}))
    with pytest.raises(ValueError, match="knows no family set here"):
        _ = job.spec.model.family


def test_the_family_that_is_set() -> None:
    name, family = TrainingJob.strict(TRAININGJOB).spec.model.family
    assert name == "tabnet"
    assert isinstance(family, TabNet)
    assert family.n_steps == 4


def test_models_cannot_be_changed() -> None:
    job = TrainingJob.strict(TRAININGJOB)
    with pytest.raises(ValidationError):
        job.spec.training.epochs = 3  # type: ignore[misc]


def test_search_words_that_python_keeps() -> None:
    study = Study.strict(DESIGNED["Study"])
    parameters = study.spec.search.parameters or ()
    assert parameters[1].float_ is not None
    assert parameters[1].float_.log is True
    assert parameters[0].categorical is not None
    assert parameters[0].categorical.choices == ("adam", "adadelta", "rmsprop", "sgd")
    again = Parameter.model_validate(parameters[1].to_kubernetes())
    assert again == parameters[1]


@pytest.mark.parametrize("uri", ["gs://bucket/x", "s3://", "C:\\data.csv", "", "javascript:alert(1)"])
def test_places_that_cannot_be_read_are_refused(uri: str) -> None:
    with pytest.raises(InvalidManifest, match=r"^spec\.data\.source\.uri: "):
        TrainingJob.strict(changed(TRAININGJOB, {"spec.data.source.uri": uri}))


@pytest.mark.parametrize(
    "uri",
    ["adult.csv", "./a b.csv", "/data/adult.csv", "sample://wine?as=table", "https://example.com:8080/a.csv"],
)
def test_places_that_can(uri: str) -> None:
    TrainingJob.strict(changed(TRAININGJOB, {"spec.data.source.uri": uri}))


def test_times_are_written_as_kubernetes_does() -> None:
    berlin = dt.timezone(dt.timedelta(hours=2))
    moment = dt.datetime(2026, 3, 4, 7, 6, 5, 999_999, tzinfo=berlin)
    condition = Condition(
        type="Running",
        status=ConditionStatus.TRUE,
        reason="Training",
        message="m",
        last_transition_time=moment,
    )
    assert condition.to_kubernetes()["lastTransitionTime"] == "2026-03-04T05:06:05Z"
    assert Condition.model_validate(condition.to_kubernetes()).last_transition_time < moment


def test_long_status_texts_are_cut_instead_of_refused() -> None:
    failure = FailureStatus.model_validate(
        {"attempt": 1, "cause": "DataError", "message": "m" * 9000, "logTail": "start" + "x" * 9000 + "end"}
    )
    assert failure.message is not None
    assert failure.log_tail is not None
    assert len(failure.message) == 2048
    assert failure.message.endswith("…")
    assert len(failure.log_tail) == 4096
    assert failure.log_tail.startswith("…")
    assert failure.log_tail.endswith("end")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_cannot_say_are_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        ProgressStatus(metrics={"val_loss": value})


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("experiment_id", "experimentID"),
        ("target_cpu_utilization", "targetCPUUtilization"),
        ("on_oom", "onOOM"),
        ("model_sha256", "modelSHA256"),
        ("sha256", "sha256"),
        ("uri", "uri"),
        ("cluster_uid", "clusterUID"),
        ("from_", "from"),
        ("n_d", "nD"),
    ],
)
def test_spelling(name: str, spelled: str) -> None:
    assert camel(name) == spelled


FORBIDDEN = ["kubernetes", "kopf", "mlflow", "torch", "numpy", "yaml", "typer"]


def test_importing_the_contracts_is_light() -> None:
    contracts = "trainyard.api.wire, trainyard.api.study, trainyard.api.modelserver"
    code = f"import sys; import {contracts}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(loaded).isdisjoint(FORBIDDEN)
    ours: list[Any] = [module for module in loaded if module.startswith("trainyard.")]
    assert all(module == "trainyard.api" or module.startswith("trainyard.api.") for module in ours)
    assert "trainyard.api.docs" not in loaded
