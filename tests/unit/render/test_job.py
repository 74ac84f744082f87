"""The objects of an attempt, field by field where a field is a promise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainyard.api.names import NAME_MAX, RESERVED_ENV
from trainyard.api.wire import AttemptSpec
from trainyard.core.policy import NODES_MAX
from trainyard.render.configmap import attempt_config_map
from trainyard.render.group import attempt_network_policy, attempt_service
from trainyard.render.inputs import Attempt, Installation
from trainyard.render.job import attempt_job, failure_rules
from trainyard.render.labels import attempt_labels, repair, selector
from trainyard.render.names import attempt_name

INSTALL = Installation(
    trainer_image="registry.example/trainer@sha256:0",
    pull_policy="IfNotPresent",
    tracking_uri="http://mlflow:5000",
    coordinator_url="https://coordinator:8443",
    cluster_uid="cluster",
    ca_bundle="PEM",
)
SPEC: dict[str, Any] = {"model": {"tabnet": {}}, "data": {"source": {"uri": "sample://breast_cancer"}}}


def _attempt(**spec: Any) -> Attempt:
    return Attempt("team-a", "adult", "uid-1", 2, {**SPEC, **spec})


def _pod(**spec: Any) -> dict[str, Any]:
    body: dict[str, Any] = attempt_job(_attempt(**spec), INSTALL)["spec"]["template"]
    return body


def _container(**spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = _pod(**spec)["spec"]["containers"][0]
    return found


HOSTILE = {
    "compute": {
        "podTemplate": {
            "securityContext": {"runAsUser": 0},
            "hostNetwork": True,
            "hostPID": True,
            "automountServiceAccountToken": True,
            "containers": [{"name": "evil", "image": "evil"}],
            "initContainers": [{"name": "evil", "image": "evil"}],
            "volumes": [{"name": "trainyard-token", "emptyDir": {}}, {"name": "mine", "emptyDir": {}}],
            "env": [{"name": "TRAINYARD_SPEC", "value": "/evil"}, {"name": "MINE", "value": "1"}],
            "labels": {
                "trainyard.dev/trainingjob": "other",
                "app.kubernetes.io/managed-by": "me",
                "team": "risk",
            },
        }
    }
}


@pytest.mark.parametrize("spec", [{}, HOSTILE], ids=["plain", "hostile"])
def test_pod_is_restricted_whatever_the_manifest_says(spec: dict[str, Any]) -> None:
    pod = _pod(**spec)["spec"]
    container = pod["containers"][0]
    assert len(pod["containers"]) == 1
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod)
    assert all(set(v) - {"name"} <= {"configMap", "projected", "emptyDir"} for v in pod["volumes"])


def test_whitelist_adds_but_never_replaces_ours() -> None:
    pod = _pod(**HOSTILE)
    container = pod["spec"]["containers"][0]
    env = {e["name"]: e.get("value") for e in container["env"]}
    assert env["TRAINYARD_SPEC"] == "/etc/trainyard/spec.json"
    assert env["TRAINYARD_IMAGE"] == container["image"] == INSTALL.trainer_image
    assert env["MINE"] == "1"
    assert [e["name"] for e in container["env"]].count("TRAINYARD_SPEC") == 1
    token = [v for v in pod["spec"]["volumes"] if v["name"] == "trainyard-token"]
    assert token == [
        {
            "name": "trainyard-token",
            "projected": {
                "sources": [
                    {
                        "serviceAccountToken": {
                            "path": "token",
                            "audience": "trainyard-coordinator",
                            "expirationSeconds": 3600,
                        }
                    }
                ]
            },
        }
    ]
    assert pod["metadata"]["labels"] == {"team": "risk", **attempt_labels("adult", 2)}


def test_writable_places_are_bounded() -> None:
    pod = _pod()["spec"]
    scratch = {v["name"]: v["emptyDir"] for v in pod["volumes"] if "emptyDir" in v}
    assert all(v.get("sizeLimit") for v in scratch.values())
    mounts = {m["mountPath"]: m for m in pod["containers"][0]["volumeMounts"]}
    assert {"/tmp", "/var/lib/trainyard", "/dev/shm"} == {
        p for p, m in mounts.items() if not m.get("readOnly")
    }
    assert mounts["/etc/trainyard"]["readOnly"] is True


def test_resources_have_defaults_and_keep_what_was_said() -> None:
    silent = _container()["resources"]
    assert silent["requests"] == {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "1Gi"}
    assert silent["limits"] == {"memory": "4Gi", "ephemeral-storage": "10Gi"}
    said = _container(compute={"resources": {"limits": {"nvidia.com/gpu": 1, "memory": "512Mi"}}})[
        "resources"
    ]
    assert said["limits"]["memory"] == said["requests"]["memory"] == "512Mi"
    assert said["limits"]["nvidia.com/gpu"] == 1
    asked = _container(compute={"resources": {"requests": {"memory": "9Gi"}}})["resources"]
    assert asked["limits"]["memory"] == asked["requests"]["memory"] == "9Gi"


def test_memory_raised_after_an_out_of_memory_kill_replaces_the_limit() -> None:
    attempt = Attempt("team-a", "adult", "uid-1", 2, SPEC, memory="6144Mi")
    container = attempt_job(attempt, INSTALL)["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["memory"] == "6144Mi"


def test_job_never_retries_and_keeps_the_cause() -> None:
    spec = attempt_job(_attempt(), INSTALL)["spec"]
    assert spec["backoffLimit"] == 0
    assert "suspend" not in spec
    rules = spec["podFailurePolicy"]["rules"]
    assert rules[0] == {
        "action": "FailJob",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    assert [r["onExitCodes"]["values"] for r in rules[1:]] == [[64], [65], [69], [75], [77], [137], [143]]
    assert {r["action"] for r in rules} == {"FailJob"}
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] == 60
    assert pod["containers"][0]["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_deadline_queue_and_excluded_nodes() -> None:
    attempt = Attempt(
        "team-a",
        "adult",
        "uid-1",
        2,
        {**SPEC, "runPolicy": {"queueName": "q"}},
        deadline_seconds=60,
        excluded_nodes=("node-1", "node-2"),
    )
    job = attempt_job(attempt, INSTALL)
    assert job["spec"]["activeDeadlineSeconds"] == 60
    assert job["spec"]["suspend"] is True
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "q"
    node = job["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    fields = [
        {"key": "metadata.name", "operator": "NotIn", "values": [name]} for name in ("node-1", "node-2")
    ]
    assert node == {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "preference": {"matchFields": fields}}
        ]
    }


GROUP: dict[str, Any] = {"compute": {"nodes": 4, "processesPerNode": 2}}


def test_pods_of_a_group_know_where_the_first_one_is() -> None:
    job = attempt_job(_attempt(**GROUP), INSTALL)["spec"]
    assert (job["completions"], job["parallelism"], job["completionMode"]) == (4, 4, "Indexed")
    assert (job["backoffLimit"], job["podFailurePolicy"]) == (0, {"rules": failure_rules()})
    pod = job["template"]["spec"]
    service = attempt_service(_attempt(**GROUP))
    assert pod["subdomain"] == service["metadata"]["name"] == "adult-tj-a2"
    env = {e["name"]: e.get("value") for e in pod["containers"][0]["env"]}
    # <hostname>.<subdomain>.<namespace>.svc; the hostname of an Indexed Job's pod is <job>-<index>
    assert env["MASTER_ADDR"] == "adult-tj-a2-0.adult-tj-a2.team-a.svc"
    assert (env["MASTER_PORT"], env["TRAINYARD_NODES"]) == ("29500", "4")
    assert "JOB_COMPLETION_INDEX" not in env


def test_addresses_of_a_group_cannot_be_replaced_and_a_pod_alone_has_none() -> None:
    mine = {
        "podTemplate": {
            "env": [{"name": "MASTER_ADDR", "value": "evil"}, {"name": "NCCL_DEBUG", "value": "INFO"}]
        }
    }
    names = [e["name"] for e in _container(compute={**GROUP["compute"], **mine})["env"]]
    assert names.count("MASTER_ADDR") == 1
    assert "NCCL_DEBUG" in names
    alone = {e["name"]: e.get("value") for e in _container(compute=mine)["env"]}
    assert alone["MASTER_ADDR"] == "evil"
    assert "TRAINYARD_NODES" not in alone
    job = attempt_job(_attempt(), INSTALL)["spec"]
    assert "completionMode" not in job
    assert "subdomain" not in job["template"]["spec"]


def test_network_of_a_group_is_its_own() -> None:
    service, policy = attempt_service(_attempt(**GROUP)), attempt_network_policy(_attempt(**GROUP))
    labels = _pod(**GROUP)["metadata"]["labels"]
    assert service["spec"] == {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": attempt_labels("adult", 2),
    }
    assert attempt_labels("adult", 2).items() <= labels.items()
    pods = {"matchLabels": attempt_labels("adult", 2)}
    assert policy["spec"] == {
        "podSelector": pods,
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": pods}]}],
    }


@pytest.mark.parametrize(
    ("compute", "size"),
    [
        ({}, "1Gi"),
        ({"processesPerNode": 2}, "1Gi"),
        ({"processesPerNode": 8}, "4096Mi"),
        ({"processesPerNode": 8, "sharedMemory": "64Mi"}, "64Mi"),
    ],
)
def test_shared_memory_grows_with_processes(compute: dict[str, Any], size: str) -> None:
    volumes = {v["name"]: v for v in _pod(compute=compute)["spec"]["volumes"]}
    assert volumes["trainyard-shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": size}


def test_silent_nodes_are_put_up_with_as_long_as_the_manifest_says() -> None:
    pod = _pod(runPolicy={"nodeLostSeconds": 30})["spec"]
    assert {(t["key"], t["tolerationSeconds"]) for t in pod["tolerations"]} == {
        ("node.kubernetes.io/not-ready", 30),
        ("node.kubernetes.io/unreachable", 30),
    }


def test_secrets_and_claims_of_sources_reach_the_pod() -> None:
    source = {"uri": "pvc://sets/adult.parquet", "credentialsSecret": "s3-reader"}
    pod = _pod(data={"source": source})["spec"]
    container = pod["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "s3-reader"}}]
    assert {"name": "trainyard-claim-0", "mountPath": "/mnt/claims/sets", "readOnly": True} in container[
        "volumeMounts"
    ]
    claim = {"claimName": "sets", "readOnly": True}
    assert {"name": "trainyard-claim-0", "persistentVolumeClaim": claim} in pod["volumes"]


def test_a_program_of_the_users_finds_kubeflow_trainers_address() -> None:
    def told(**spec: Any) -> dict[str, str]:
        return {e["name"]: e["value"] for e in _container(**spec)["env"] if e["name"].startswith("KUBEFLOW")}

    assert told() == {}
    found = told(model={"custom": {"image": "me:1"}})
    assert set(found) == {f"KUBEFLOW_TRAINER_SERVER_{key}" for key in ("URL", "TOKEN", "CA_CERT")}
    assert found["KUBEFLOW_TRAINER_SERVER_URL"].startswith("https://")
    assert found["KUBEFLOW_TRAINER_SERVER_URL"].endswith("/trainjobs/adult/status")


def test_custom_model_brings_image_command_and_arguments_as_lists() -> None:
    custom = {"image": "me:1", "command": ["python", "-m", "mine"], "args": ["$(rm -rf /)"]}
    container = _container(model={"custom": custom})
    assert (container["image"], container["command"], container["args"]) == (
        "me:1",
        ["python", "-m", "mine"],
        ["$(rm -rf /)"],
    )


def test_config_map_is_immutable_and_holds_the_wire_spec() -> None:
    body = attempt_config_map(_attempt(tracking={"experiment": "mine"}), INSTALL)
    assert body["immutable"] is True
    assert body["data"]["ca.crt"] == "PEM"
    spec = json.loads(body["data"]["spec.json"])
    wire = AttemptSpec.model_validate(spec)
    assert (wire.namespace, wire.name, wire.uid, wire.attempt) == ("team-a", "adult", "uid-1", 2)
    assert wire.tracking.experiment == "mine"
    assert wire.coordinator is not None
    assert wire.coordinator.url == "https://coordinator:8443"
    assert spec["spec"] == {**SPEC, "tracking": {"experiment": "mine"}}


def test_without_a_ca_there_is_no_coordinator_to_trust() -> None:
    install = Installation("t", "IfNotPresent", "http://m", coordinator_url="https://coordinator:8443")
    assert json.loads(attempt_config_map(_attempt(), install)["data"]["spec.json"])["coordinator"] is None


def test_children_are_owned_and_labelled() -> None:
    group = _attempt(**GROUP)
    for body in (
        attempt_job(_attempt(), INSTALL),
        attempt_config_map(_attempt(), INSTALL),
        attempt_service(group),
        attempt_network_policy(group),
    ):
        owner = body["metadata"]["ownerReferences"]
        assert [(o["kind"], o["uid"], o["controller"]) for o in owner] == [("TrainingJob", "uid-1", True)]
        assert attempt_labels("adult", 2).items() <= body["metadata"]["labels"].items()
    assert repair("adult", "uid-1", 2, "job-uid")["metadata"]["uid"] == "job-uid"
    assert selector("adult") == "app.kubernetes.io/managed-by=trainyard,trainyard.dev/trainingjob=adult"


@given(st.integers(1, NAME_MAX), st.integers(1, 10**9))
def test_names_fit(length: int, attempt: int) -> None:
    name = attempt_name("a" * length, attempt)
    assert len(name) <= 63
    assert len(f"{name}-{NODES_MAX - 1}") <= 63, "hostname of the last pod of a group"


def test_reserved_prefix_is_the_one_that_is_filtered() -> None:
    assert RESERVED_ENV == ("TRAINYARD_",)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["compute", "data", "model", "runPolicy", "tracking"]), json_like))
def test_any_spec_renders_to_json(spec: dict[str, Any]) -> None:
    attempt = Attempt("ns", "n", "u", 1, spec)
    bodies = [attempt_job(attempt, INSTALL), attempt_config_map(attempt, INSTALL)]
    json.dumps([*bodies, attempt_service(attempt), attempt_network_policy(attempt)])
