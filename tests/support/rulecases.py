"""For each rule across fields a case.

Used twice: by the API server (CEL) and by the models (Python), which must agree.
"""

from __future__ import annotations

from tests.support.rulecase import DELETE, RuleCase
from tests.support.rulecases_study import STUDY_CASES

TJ, ST, MS = "TrainingJob", "Study", "ModelServer"
_POD = "spec.compute.podTemplate"

_CASES = [
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
]

RULE_CASES = _CASES + STUDY_CASES
