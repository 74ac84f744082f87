"""The children of a ModelServer, field by field where a field is a promise."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainyard.api.modelserver import ModelServer as ModelServerObject
from trainyard.api.names import ANNOTATION_HASH, NAME_MAX
from trainyard.core.resource import ModelServer
from trainyard.core.serving_observed import Release
from trainyard.core.serving_plan import CreateVerifyJob
from trainyard.render.compare import in_order
from trainyard.render.inputs import Installation
from trainyard.render.names import verify_name
from trainyard.render.serving import deployment, model_server, replicas, scale, service
from trainyard.render.serving_job import verify_job

INSTALL = Installation("registry.example/trainer@sha256:0", "IfNotPresent", "http://mlflow:5000")
RELEASE = Release(7, "mlflow-artifacts:/1/models/m-1/artifacts/artifacts/package", "a" * 64)
SPEC: dict[str, Any] = {
    "model": "income",
    "source": {"promotions": {}},
    "auth": {"tokenSecret": "income-tokens"},
}
HOSTILE = {
    "securityContext": {"runAsUser": 0},
    "hostNetwork": True,
    "automountServiceAccountToken": True,
    "containers": [{"name": "evil", "image": "evil"}],
    "initContainers": [{"name": "evil", "image": "evil"}],
    "volumes": [{"name": "trainyard-tokens", "emptyDir": {}}, {"name": "mine", "emptyDir": {}}],
    "volumeMounts": [{"name": "mine", "mountPath": "/mine"}],
    "env": [{"name": "TRAINYARD_ANONYMOUS", "value": "1"}, {"name": "MINE", "value": "1"}],
    "envFrom": [{"secretRef": {"name": "s3"}}],
    "labels": {"trainyard.dev/modelserver": "other", "app.kubernetes.io/component": "x", "team": "risk"},
    "annotations": {"trainyard.dev/sha256": "b", "note": "n"},
    "nodeSelector": {"zone": "a"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
}


def _server(**spec: Any) -> ModelServer:
    return ModelServer("team-a", "income", "uid-1", 1, {**SPEC, **spec}, {})


def _deployment(**spec: Any) -> dict[str, Any]:
    return deployment(_server(**spec), RELEASE, INSTALL)


def _job(**spec: Any) -> dict[str, Any]:
    return verify_job(_server(**spec), CreateVerifyJob(RELEASE, "d-uid", 3, 500), INSTALL)


def _pod(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["spec"]["template"]["spec"]
    return found


def _containers(body: dict[str, Any]) -> list[dict[str, Any]]:
    pod = _pod(body)
    return [*pod["initContainers"], *pod["containers"]]


def _env(container: dict[str, Any]) -> dict[str, str]:
    return {e["name"]: e["value"] for e in container["env"] if "value" in e}


BODIES = [_deployment(), _job(), _deployment(podTemplate=HOSTILE), _job(podTemplate=HOSTILE)]


@pytest.mark.parametrize("body", BODIES, ids=["server", "verify", "hostile-server", "hostile-verify"])
def test_pods_fit_the_restricted_profile(body: dict[str, Any]) -> None:
    pod = _pod(body)
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert [c["name"] for c in pod["initContainers"]] == ["fetch"]
    assert len(pod["containers"]) == 1
    for container in _containers(body):
        assert container["image"] == INSTALL.trainer_image
        inner = container["securityContext"]
        assert inner["readOnlyRootFilesystem"] is True
        assert inner["allowPrivilegeEscalation"] is False
        assert inner["capabilities"] == {"drop": ["ALL"]}
        assert _env(container)["HOME"] == "/tmp"
        assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"]
        assert "cpu" in container["resources"]["requests"]


def test_template_is_pinned_to_place_and_digest() -> None:
    body = _deployment()
    meta = body["spec"]["template"]["metadata"]
    assert meta["labels"]["trainyard.dev/version"] == "7"
    assert meta["annotations"]["trainyard.dev/artifact-uri"] == RELEASE.uri
    assert meta["annotations"]["trainyard.dev/sha256"] == RELEASE.sha256
    fetch, server = _containers(body)
    assert fetch["command"] == ["python", "-m", "trainyard_trainer.serving.fetch"]
    wanted = {
        "TRAINYARD_ARTIFACT_URI": RELEASE.uri,
        "TRAINYARD_SHA256": RELEASE.sha256,
        "TRAINYARD_TRACKING_URI": "http://mlflow:5000",
        "TRAINYARD_MODEL_DIR": "/model",
    }
    assert wanted.items() <= _env(fetch).items()
    assert _env(server)["TRAINYARD_MODEL_VERSION"] == "7"
    assert _env(server)["TRAINYARD_MODEL_NAME"] == "income"
    assert {"name": "trainyard-model", "mountPath": "/model", "readOnly": True} in server["volumeMounts"]
    assert "champion" not in json.dumps(body)


def test_a_new_version_loses_no_request() -> None:
    body = _deployment(drainSeconds=20, rollout={"deadlineSeconds": 90})
    spec, pod = body["spec"], _pod(body)
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["progressDeadlineSeconds"] == 90
    assert "replicas" not in spec
    server = pod["containers"][0]
    assert server["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert pod["terminationGracePeriodSeconds"] == 30
    assert _env(server)["TRAINYARD_DRAIN_SECONDS"] == "20"
    startup, ready, live = (server[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness"))
    assert startup["httpGet"]["path"] == ready["httpGet"]["path"] == "/v2/health/ready"
    assert startup["periodSeconds"] * startup["failureThreshold"] == 90
    assert live["httpGet"]["path"] == "/v2/health/live"


def test_tokens_are_mounted_and_silence_lets_nobody_in() -> None:
    server = _pod(_deployment())["containers"][0]
    path = "/var/run/secrets/trainyard-tokens"
    assert _env(server)["TRAINYARD_TOKENS_DIR"] == path
    assert {"name": "trainyard-tokens", "mountPath": path, "readOnly": True} in server["volumeMounts"]
    volumes = {v["name"]: v for v in _pod(_deployment(podTemplate=HOSTILE))["volumes"]}
    assert volumes["trainyard-tokens"]["secret"]["secretName"] == "income-tokens"
    assert "TRAINYARD_ANONYMOUS" not in _env(_pod(_deployment(podTemplate=HOSTILE))["containers"][0])
    for body in (_deployment(auth={}), _job(auth={})):
        env = _env(_pod(body)["containers"][0])
        assert not {"TRAINYARD_TOKENS_DIR", "TRAINYARD_ANONYMOUS"} & set(env)
    anonymous = _pod(_deployment(auth={"anonymous": {}}))
    assert _env(anonymous["containers"][0])["TRAINYARD_ANONYMOUS"] == "1"
    assert "trainyard-tokens" not in {v["name"] for v in anonymous["volumes"]}


def test_pod_template_adds_and_replaces_nothing() -> None:
    body = _deployment(podTemplate=HOSTILE)
    meta, pod = body["spec"]["template"]["metadata"], _pod(body)
    assert meta["labels"]["trainyard.dev/modelserver"] == "income"
    assert meta["labels"]["app.kubernetes.io/component"] == "server"
    assert meta["labels"]["team"] == "risk"
    assert meta["annotations"]["trainyard.dev/sha256"] == RELEASE.sha256
    assert meta["annotations"]["note"] == "n"
    assert pod["nodeSelector"] == {"zone": "a"}
    assert pod["tolerations"] == HOSTILE["tolerations"]
    for container in _containers(body):
        assert _env(container)["MINE"] == "1"
        assert container["envFrom"] == HOSTILE["envFrom"]
        assert {"name": "mine", "mountPath": "/mine"} in container["volumeMounts"]


def test_service_finds_servers_and_never_a_verifier() -> None:
    found = service(_server(port=8000))
    assert found["metadata"]["name"] == "income"
    assert found["spec"]["ports"][0] == {
        "name": "http",
        "port": 8000,
        "targetPort": "http",
        "protocol": "TCP",
    }
    selector = found["spec"]["selector"].items()
    assert selector == _deployment()["spec"]["selector"]["matchLabels"].items()
    assert selector <= _deployment()["spec"]["template"]["metadata"]["labels"].items()
    assert not selector <= _job()["spec"]["template"]["metadata"]["labels"].items()


def test_verify_job_asks_through_the_service_once() -> None:
    body = _job(port=8000, rollout={"verifySeconds": 5, "maxErrorRate": 0})
    assert body["metadata"]["name"] == "income-ms-v7-3"
    assert body["metadata"]["annotations"]["trainyard.dev/deployment"] == "d-uid/3"
    assert body["spec"]["backoffLimit"] == 0
    assert body["spec"]["activeDeadlineSeconds"] == 500
    assert _pod(body)["restartPolicy"] == "Never"
    container = _pod(body)["containers"][0]
    assert container["command"] == ["python", "-m", "trainyard_trainer.serving.verify"]
    wanted = {
        "TRAINYARD_URL": "http://income.team-a.svc:8000",
        "TRAINYARD_MODEL_NAME": "income",
        "TRAINYARD_MODEL_VERSION": "7",
        "TRAINYARD_VERIFY_SECONDS": "5",
        "TRAINYARD_MAX_ERROR_RATE": "0",
        "TRAINYARD_TOKENS_DIR": "/var/run/secrets/trainyard-tokens",
    }
    assert wanted.items() <= _env(container).items()


def test_children_are_owned_and_found_by_label() -> None:
    for body in (_deployment(), service(_server()), _job()):
        (owner,) = body["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("ModelServer", "income", "uid-1")
        assert body["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "trainyard"
        assert body["metadata"]["labels"]["trainyard.dev/modelserver"] == "income"


def test_replicas_belong_to_one() -> None:
    assert replicas(_server()) == 1
    assert replicas(_server(replicas=0)) == 0
    assert replicas(_server(external={})) is None
    assert replicas(_server(autoscaling={"maxReplicas": 3})) is None
    assert scale(_server(), 2)["spec"] == {"replicas": 2}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"requests": ("1Gi", "250m"), "limits": "1Gi"}),
        ({"limits": {"memory": "2Gi", "cpu": "2"}}, {"requests": ("2Gi", "2"), "limits": "2Gi"}),
        ({"requests": {"memory": "512Mi", "cpu": "1"}}, {"requests": ("512Mi", "1"), "limits": "512Mi"}),
    ],
)
def test_resources_have_defaults(asked: dict[str, Any], expected: dict[str, Any]) -> None:
    found = _pod(_deployment(resources=asked))["containers"][0]["resources"]
    assert (found["requests"]["memory"], found["requests"]["cpu"]) == expected["requests"]
    assert found["limits"]["memory"] == expected["limits"]


def test_model_server_of_a_promotion_is_one_that_the_api_takes() -> None:
    spec = {"model": "income", "source": {"promotions": {}}, "replicas": 2, "auth": {"tokenSecret": "t"}}
    body = model_server("team-a", "income", spec)
    ModelServerObject.strict(body)
    assert "ownerReferences" not in body["metadata"]


def _as_served(body: dict[str, Any]) -> dict[str, Any]:
    """What an API server makes of it: defaults, canonical quantities, its own annotations."""
    live = deepcopy(body)
    live["metadata"] |= {"uid": "d", "generation": 3}
    live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "3"
    live["spec"]["replicas"] = 1
    pod = _pod(live)
    pod["dnsPolicy"] = "ClusterFirst"
    pod["containers"].insert(0, {"name": "injected", "image": "mesh"})
    for container in pod["containers"][1:]:
        container["resources"]["limits"]["cpu"] = "1"
        container["readinessProbe"]["httpGet"]["scheme"] = "HTTP"
    return live


def test_a_live_object_is_in_order_whatever_the_api_server_added() -> None:
    wanted = _deployment(resources={"limits": {"cpu": "1000m"}})
    live = _as_served(wanted)
    assert in_order(live, wanted)
    assert wanted["metadata"]["annotations"][ANNOTATION_HASH]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metadata", "labels", "trainyard.dev/modelserver"), "other"),
        (("metadata", "ownerReferences"), []),
        (("metadata", "annotations", ANNOTATION_HASH), "0"),
        (("spec", "template", "spec", "containers", 1, "image"), "evil"),
        (("spec", "template", "spec", "containers", 1, "resources", "limits", "cpu"), "1001m"),
        (("spec", "template", "spec", "containers", 1, "securityContext", "readOnlyRootFilesystem"), False),
        (("spec", "template", "spec", "initContainers"), []),
        (("spec", "strategy", "rollingUpdate", "maxUnavailable"), 1),
    ],
)
def test_what_somebody_changed_is_seen(path: tuple[Any, ...], value: Any) -> None:
    wanted = _deployment(resources={"limits": {"cpu": "1000m"}})
    live = _as_served(wanted)
    *parents, last = path
    place: Any = live
    for part in parents:
        place = place[part]
    place[last] = value
    assert not in_order(live, wanted)


def test_the_hash_moves_with_release_spec_and_image() -> None:
    def digest(body: dict[str, Any]) -> str:
        return str(body["metadata"]["annotations"][ANNOTATION_HASH])

    other = Installation("registry.example/trainer@sha256:1", "IfNotPresent", "http://mlflow:5000")
    bodies = [
        _deployment(),
        _deployment(limits={"maxRows": 5}),
        deployment(_server(), Release(8, RELEASE.uri, RELEASE.sha256), INSTALL),
        deployment(_server(), RELEASE, other),
    ]
    assert len({digest(body) for body in bodies}) == 4
    assert digest(_deployment()) == digest(_deployment())


@given(st.integers(1, NAME_MAX), st.integers(1, 10**9), st.integers(1, 10**6))
def test_names_fit(length: int, version: int, number: int) -> None:
    assert len(verify_name("a" * length, str(version), number)) <= 63


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
FIELDS = [
    "podTemplate",
    "auth",
    "rollout",
    "limits",
    "resources",
    "image",
    "port",
    "replicas",
    "drainSeconds",
]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS), json_like))
def test_any_spec_renders_to_json(spec: dict[str, Any]) -> None:
    json.dumps([_deployment(**spec), service(_server(**spec)), _job(**spec)])
    assert in_order(_deployment(**spec), _deployment(**spec))
