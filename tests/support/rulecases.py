"""For each rule across fields: a change that it accepts, one that it refuses, and the field it must name.

Used twice: by the API server (CEL) and by the models (Python), which must agree.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from tests.support.manifests import DESIGNED, Manifest

DELETE = object()


@dataclass(frozen=True)
class RuleCase:
    """One rule.

    Attributes:
        kind: whose manifest is changed.
        refused: places and their new values that break the rule; DELETE removes.
        says: what the message must contain, besides the field.
        field: the field that the message must name.
        accepted: a change of the same places that keeps the rule.
    """

    kind: str
    refused: dict[str, Any]
    field: str
    says: str
    accepted: dict[str, Any]

    @override
    def __str__(self) -> str:
        return f"{self.kind}-{self.says[:60]}"


def changed(manifest: Manifest, changes: dict[str, Any]) -> Manifest:
    """A copy of a manifest with places set or removed."""
    out = copy.deepcopy(manifest)
    for place, value in changes.items():
        *parents, last = [int(p) if p.isdigit() else p for p in re.findall(r"[^.\[\]]+", place)]
        here: Any = out
        for part in parents:
            here = here[part] if isinstance(part, int) else here.setdefault(part, {})
        if value is DELETE:
            here.pop(last, None)
        elif isinstance(here, list) and last == len(here):
            here.append(value)
        else:
            here[last] = copy.deepcopy(value)
    return out


TJ, ST, MS = "TrainingJob", "Study", "ModelServer"
_POD = "spec.compute.podTemplate"
_P0 = "spec.search.parameters[0]"
_P1 = "spec.search.parameters[1]"

RULE_CASES = [
    # names
    RuleCase(TJ, {"metadata.name": "a" * 41}, "metadata.name", "at most 40", {"metadata.name": "a" * 40}),
    RuleCase(TJ, {"metadata.name": "1a"}, "metadata.name", "starting with a letter", {"metadata.name": "a1"}),
    RuleCase(ST, {"metadata.name": "a.b"}, "metadata.name", "at most 40", {"metadata.name": "a-b"}),
    RuleCase(MS, {"metadata.name": "a" * 41}, "metadata.name", "at most 40", {"metadata.name": "b"}),
    # model
    RuleCase(
        TJ, {"spec.model": {}}, "spec.model", "exactly one of tabnet, lstm", {"spec.model": {"mlp": {}}}
    ),
    RuleCase(TJ, {"spec.model.mlp": {}}, "spec.model", "exactly one of", {"spec.model.tabnet": {}}),
    RuleCase(
        TJ,
        {"spec.model.tabnet": {"nIndependent": 0, "nShared": 0}},
        "spec.model.tabnet",
        "cannot both be 0",
        {"spec.model.tabnet": {"nIndependent": 0, "nShared": 1}},
    ),
    RuleCase(
        TJ,
        {"spec.model": {"custom": {"args": ["x"]}}},
        "spec.model.custom",
        "at least one of image, family",
        {"spec.model": {"custom": {"image": "me/mine:1", "args": ["x"]}}},
    ),
    RuleCase(
        TJ,
        {"spec.model": {"custom": {"family": "forest", "args": ["x"]}}},
        "spec.model.custom",
        "remove command and args",
        {"spec.model": {"custom": {"family": "forest", "parameters": {"trees": "100"}}}},
    ),
    # data
    RuleCase(
        TJ,
        {"spec.data": DELETE},
        "spec.data",
        "data.source is needed",
        {"spec.data": DELETE, "spec.model": {"custom": {"image": "me/mine:1"}}},
    ),
    RuleCase(
        TJ,
        {"spec.data.source": DELETE},
        "spec.data",
        "data.source is needed",
        {"spec.data.source.uri": "sample://wine"},
    ),
    RuleCase(
        TJ,
        {"spec.data.source.csv": {"delimiter": ";"}, "spec.data.source.format": "Parquet"},
        "spec.data.source.csv",
        "only for format CSV",
        {"spec.data.source.csv": {"delimiter": ";"}, "spec.data.source.format": "CSV"},
    ),
    RuleCase(
        TJ,
        {"spec.data.source.csv": {"header": False}},
        "spec.data.source.csv",
        "needs columnNames",
        {"spec.data.source.csv": {"header": False, "columnNames": ["a", "b"]}},
    ),
    RuleCase(
        TJ,
        {"spec.data.targets": ["a", "b"]},
        "spec.data",
        "at most one of target, targets",
        {"spec.data.target": DELETE, "spec.data.targets": ["a", "b"], "spec.data.task": "Regression"},
    ),
    RuleCase(
        TJ,
        {"spec.data.target": DELETE, "spec.data.targets": ["a", "b"]},
        "spec.data.targets",
        "needs task: Regression",
        {"spec.data.target": DELETE, "spec.data.targets": ["a", "b"], "spec.data.task": DELETE},
    ),
    RuleCase(
        TJ,
        {"spec.data.classWeights": {}},
        "spec.data.classWeights",
        "exactly one of balanced, fixed",
        {"spec.data.classWeights": {"balanced": {}}},
    ),
    RuleCase(
        TJ,
        {"spec.data.split.test": 0.9},
        "spec.data.split",
        "must leave rows to train on",
        {"spec.data.split.test": 0.8},
    ),
    RuleCase(
        TJ,
        {"spec.data.split.by": "Group"},
        "spec.data.split",
        "need column",
        {"spec.data.split.by": "Group", "spec.data.split.column": "household"},
    ),
    RuleCase(
        TJ,
        {"spec.data.split.by": "Files"},
        "spec.data.split",
        "by: Files needs files",
        {"spec.data.split.by": "Files", "spec.data.split.files": {"test": {"uri": "test.csv"}}},
    ),
    RuleCase(
        TJ,
        {"spec.data.split.files": {"test": {"uri": "test.csv"}}},
        "spec.data.split",
        "files goes with by: Files",
        {"spec.data.split.by": "Files", "spec.data.split.files": {"validation": {"uri": "v.csv"}}},
    ),
    RuleCase(
        TJ,
        {"spec.data.split.by": "Files", "spec.data.split.files": {}},
        "spec.data.split.files",
        "at least one of validation, test",
        {"spec.data.split.by": "Files", "spec.data.split.files": {"test": {"uri": "test.csv"}}},
    ),
    # training
    RuleCase(
        TJ,
        {"spec.training.optimizer.nesterov": True},
        "spec.training.optimizer.nesterov",
        "needs name: sgd",
        {"spec.training.optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True}},
    ),
    RuleCase(
        TJ,
        {"spec.training.schedule": {"cosine": {}, "plateau": {}}},
        "spec.training.schedule",
        "at most one of step, cosine",
        {"spec.training.schedule": {"cosine": {}, "warmupEpochs": 2}},
    ),
    RuleCase(
        TJ,
        {"spec.training.earlyStopping.metric": "test_accuracy"},
        "spec.training.earlyStopping.metric",
        "must not be a test metric",
        {"spec.training.earlyStopping.metric": "val_accuracy"},
    ),
    RuleCase(
        TJ,
        {"spec.training.metric": "test_accuracy"},
        "spec.training.metric",
        "must not be a test metric",
        {"spec.training.metric": "val_accuracy"},
    ),
    RuleCase(
        TJ,
        {"spec.training.gradientClipping": {"norm": 1.0, "value": 1.0}},
        "spec.training.gradientClipping",
        "exactly one of norm, value",
        {"spec.training.gradientClipping": {"value": 1.0}},
    ),
    # pods
    RuleCase(
        TJ,
        {f"{_POD}.labels": {"trainyard.dev/attempt": "9"}},
        f"{_POD}.labels",
        "must not use the domains",
        {f"{_POD}.labels": {"team": "risk", "example.com/cost": "a"}},
    ),
    RuleCase(
        TJ,
        {f"{_POD}.labels": {"app.kubernetes.io/managed-by": "me"}},
        f"{_POD}.labels",
        "must not use the domains",
        {f"{_POD}.labels": {"mykubernetes.io/x": "a"}},
    ),
    RuleCase(
        TJ,
        {f"{_POD}.annotations": {"container.apparmor.security.beta.kubernetes.io/x": "unconfined"}},
        f"{_POD}.annotations",
        "must not use the domains",
        {f"{_POD}.annotations": {"example.com/note": "a b"}},
    ),
    RuleCase(
        TJ,
        {f"{_POD}.env": [{"name": "TRAINYARD_SPEC", "value": "/tmp/mine"}]},
        f"{_POD}.env[0].name",
        "must not start with TRAINYARD_",
        {f"{_POD}.env": [{"name": "OMP_NUM_THREADS", "value": "2"}]},
    ),
    RuleCase(
        TJ,
        {
            f"{_POD}.env": [
                {"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
            ]
        },
        f"{_POD}.env[0]",
        "at most one of value, valueFrom",
        {f"{_POD}.env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
    ),
    RuleCase(
        TJ,
        {f"{_POD}.env": [{"name": "A", "valueFrom": {}}]},
        f"{_POD}.env[0].valueFrom",
        "exactly one of secretKeyRef",
        {f"{_POD}.env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
    ),
    RuleCase(
        TJ,
        {f"{_POD}.envFrom": [{"secretRef": {"name": "s"}, "prefix": "TRAINYARD_"}]},
        f"{_POD}.envFrom[0].prefix",
        "must not start with TRAINYARD_",
        {f"{_POD}.envFrom": [{"secretRef": {"name": "s"}, "prefix": "MY_"}]},
    ),
    RuleCase(
        TJ,
        {f"{_POD}.envFrom": [{"prefix": "MY_"}]},
        f"{_POD}.envFrom[0]",
        "exactly one of secretRef",
        {f"{_POD}.envFrom": [{"configMapRef": {"name": "s"}}]},
    ),
    RuleCase(
        TJ,
        {f"{_POD}.volumes": [{"name": "v"}]},
        f"{_POD}.volumes[0]",
        "exactly one of configMap, secret",
        {f"{_POD}.volumes": [{"name": "v", "emptyDir": {}}]},
    ),
    RuleCase(
        TJ,
        {f"{_POD}.volumes": [{"name": "trainyard-spec", "emptyDir": {}}]},
        f"{_POD}.volumes[0].name",
        "must not start with trainyard-",
        {f"{_POD}.volumes": [{"name": "my-spec", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}]},
    ),
    RuleCase(
        TJ,
        {f"{_POD}.volumeMounts": [{"name": "v", "mountPath": "/data/../etc"}]},
        f"{_POD}.volumeMounts[0].mountPath",
        "must be an absolute path",
        {f"{_POD}.volumeMounts": [{"name": "v", "mountPath": "/data"}]},
    ),
    RuleCase(
        TJ,
        {f"{_POD}.volumeMounts": [{"name": "v", "mountPath": "/etc/trainyard/x"}]},
        f"{_POD}.volumeMounts[0].mountPath",
        "must not be in /etc/trainyard",
        {f"{_POD}.volumeMounts": [{"name": "v", "mountPath": "/etc/trainyards"}]},
    ),
    # keys of maps
    RuleCase(
        TJ,
        {"spec.tracking.tags": {"k" * 129: "v"}},
        "spec.tracking.tags",
        "128",
        {"spec.tracking.tags": {"k" * 128: "v"}},
    ),
    # promotion
    RuleCase(
        TJ,
        {"spec.promotion.gate": DELETE},
        "spec.promotion.gate",
        "needs a gate",
        {"spec.promotion.gate": DELETE, "spec.promotion.mode": "Manual"},
    ),
    RuleCase(
        TJ,
        {"spec.promotion.gate.minRelativeImprovement": 0.1},
        "spec.promotion.gate",
        "at most one of minImprovement",
        {"spec.promotion.gate.minImprovement": DELETE, "spec.promotion.gate.minRelativeImprovement": 0.1},
    ),
    RuleCase(
        TJ,
        {"spec.promotion.serving.autoscaling": {"maxReplicas": 3}},
        "spec.promotion.serving",
        "at most one of replicas",
        {"spec.promotion.serving.replicas": DELETE, "spec.promotion.serving.autoscaling": {"maxReplicas": 3}},
    ),
    # serving
    RuleCase(
        MS, {"spec.auth": {}}, "spec.auth", "exactly one of tokenSecret", {"spec.auth": {"anonymous": {}}}
    ),
    RuleCase(
        MS, {"spec.source": {}}, "spec.source", "exactly one of version", {"spec.source": {"version": "7"}}
    ),
    RuleCase(
        MS,
        {"spec.source": {"follow": {"alias": "champion"}}},
        "spec.source.follow.alias",
        "follow another one",
        {"spec.source": {"follow": {"alias": "deploy"}}},
    ),
    RuleCase(
        MS,
        {"spec.external": {}},
        "spec",
        "at most one of replicas",
        {"spec.external": {}, "spec.replicas": DELETE},
    ),
    RuleCase(
        MS,
        {"spec.replicas": DELETE, "spec.autoscaling": {"minReplicas": 3, "maxReplicas": 2}},
        "spec.autoscaling",
        "must not be above",
        {"spec.replicas": DELETE, "spec.autoscaling": {"minReplicas": 2, "maxReplicas": 2}},
    ),
    # search
    RuleCase(
        ST,
        {"spec.search.preset": "Auto"},
        "spec.search",
        "exactly one of parameters",
        {"spec.search.preset": "Auto", "spec.search.parameters": DELETE},
    ),
    RuleCase(
        ST,
        {"spec.search.sampler.name": "grid"},
        "spec.search.parameters",
        "each float with a step",
        {"spec.search.sampler.name": "grid", f"{_P1}.float": {"min": 0.1, "max": 0.5, "step": 0.1}},
    ),
    RuleCase(
        ST,
        {f"{_P0}.int": {"min": 1, "max": 2}},
        _P0,
        "exactly one of float",
        {f"{_P0}.int": {"min": 1, "max": 2}, f"{_P0}.categorical": DELETE},
    ),
    RuleCase(
        ST,
        {f"{_P0}.categorical": {}},
        f"{_P0}.categorical",
        "exactly one of strings",
        {f"{_P0}.categorical": {"booleans": [True, False]}},
    ),
    RuleCase(
        ST,
        {f"{_P1}.float": {"min": 2, "max": 1}},
        f"{_P1}.float",
        "must not be above max",
        {f"{_P1}.float": {"min": 1, "max": 1}},
    ),
    RuleCase(
        ST,
        {f"{_P1}.float": {"min": 0, "max": 1, "log": True}},
        f"{_P1}.float.min",
        "log needs min above 0",
        {f"{_P1}.float": {"min": 0.001, "max": 1, "log": True}},
    ),
    RuleCase(
        ST,
        {f"{_P1}.float": {"min": 0.1, "max": 1, "log": True, "step": 0.1}},
        f"{_P1}.float",
        "exclude each other",
        {f"{_P1}.float": {"min": 0.1, "max": 1, "step": 0.1}},
    ),
    RuleCase(
        ST,
        {"spec.search.parameters[2].int": {"min": 2, "max": 1}},
        "spec.search.parameters[2].int",
        "must not be above max",
        {"spec.search.parameters[2].int": {"min": 1, "max": 1}},
    ),
    RuleCase(
        ST,
        {"spec.search.parameters[2].int": {"min": 0, "max": 8, "log": True}},
        "spec.search.parameters[2].int.min",
        "at least 1",
        {"spec.search.parameters[2].int": {"min": 1, "max": 8, "log": True}},
    ),
    RuleCase(
        ST,
        {"spec.search.parameters[2].int": {"min": 1, "max": 8, "log": True, "step": 2}},
        "spec.search.parameters[2].int",
        "exclude each other",
        {"spec.search.parameters[2].int": {"min": 1, "max": 8, "step": 2}},
    ),
    RuleCase(
        ST,
        {"spec.search.parameters[4].when": {"path": "a"}},
        "spec.search.parameters[4].when",
        "at least one of min, max",
        {"spec.search.parameters[4].when": {"path": "a", "strings": ["x"]}},
    ),
    RuleCase(
        ST,
        {"spec.search.warmStart": {"points": [{"parameters": [{"path": "a", "number": 1, "string": "x"}]}]}},
        "spec.search.warmStart.points[0].parameters[0]",
        "exactly one of number",
        {"spec.search.warmStart": {"points": [{"parameters": [{"path": "a", "number": 1}]}]}},
    ),
    RuleCase(
        ST,
        {"spec.search.pruner": {"name": "percentile"}},
        "spec.search.pruner.percentile",
        "needs percentile",
        {"spec.search.pruner": {"name": "percentile", "percentile": 25}},
    ),
    RuleCase(
        ST,
        {"spec.search.pruner": {"name": "patient"}},
        "spec.search.pruner.patience",
        "needs patience",
        {"spec.search.pruner": {"name": "patient", "patience": 3}},
    ),
    RuleCase(
        ST,
        {"spec.search.pruner": {"name": "threshold"}},
        "spec.search.pruner",
        "needs lower or upper",
        {"spec.search.pruner": {"name": "threshold", "upper": 3}},
    ),
    # studies
    RuleCase(
        ST,
        {"spec.objectives[0].metric": "test_accuracy"},
        "spec.objectives[0].metric",
        "trials never see test rows",
        {"spec.objectives[0].metric": "val_f1"},
    ),
    RuleCase(
        ST,
        {"spec.objectives[1]": {"metric": "val_f1", "goal": "Maximize"}, "spec.budget": {"maxTrials": 5}},
        "spec.search.pruner",
        "one objective only",
        {
            "spec.objectives[1]": {"metric": "val_f1", "goal": "Maximize"},
            "spec.budget": {"maxTrials": 5},
            "spec.search.pruner": {"name": "none"},
        },
    ),
    RuleCase(
        ST,
        {"spec.objectives[1]": {"metric": "val_f1", "goal": "Maximize"}, "spec.search.pruner": DELETE},
        "spec.budget",
        "one objective only",
        {
            "spec.objectives[1]": {"metric": "val_f1", "goal": "Maximize"},
            "spec.search.pruner": DELETE,
            "spec.budget": {"maxTrials": 5},
        },
    ),
    RuleCase(
        ST,
        {
            "spec.objectives[1]": {"metric": "val_f1", "goal": "Maximize"},
            "spec.search.pruner": DELETE,
            "spec.budget": {"maxTrials": 5},
            "spec.search.sampler.name": "cmaes",
        },
        "spec.search.sampler",
        "cmaes works with one objective only",
        {"spec.search.sampler.name": "cmaes"},
    ),
    RuleCase(
        ST,
        {"spec.budget.maxTrials": 10001},
        "spec.budget.maxTrials",
        "needs search.sampler random",
        {"spec.budget.maxTrials": 10001, "spec.search.sampler.name": "random"},
    ),
    RuleCase(
        ST,
        {"spec.template.spec.compute": {"nodes": 2}},
        "spec.template.spec.compute",
        "needs workers.isolation: Job",
        {"spec.template.spec.compute": {"nodes": 2}, "spec.workers.isolation": "Job"},
    ),
    RuleCase(
        ST,
        {"spec.template.spec.data": DELETE},
        "spec.template.spec.data",
        "data.source is needed",
        {"spec.template.spec.data": {"source": {"uri": "sample://digits"}}},
    ),
]


def manifest_of(case: RuleCase, *, refused: bool) -> Manifest:
    """The manifest of one side of a case."""
    return changed(DESIGNED[case.kind], case.refused if refused else case.accepted)
