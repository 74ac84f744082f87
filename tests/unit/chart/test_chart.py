"""The chart as Helm renders it: what is promised in values.yaml is what the API server gets."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack import tools

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "trainyard"
NAMESPACE = "trainyard-system"
Object = dict[str, Any]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
COMBINATIONS: dict[str, list[str]] = {
    "defaults": [],
    "namespaced": ["watchNamespaces={team-a,team-b}"],
    "elsewhere": ["mlflow.enabled=false", "mlflow.trackingUri=https://mlflow.example.com"],
    "bare": [
        "networkPolicy.enabled=false",
        "crds.enabled=false",
        "coordinator.persistence.enabled=false",
        "mlflow.persistence.enabled=false",
    ],
    "full": [
        "image.pullSecrets={one}",
        "image.operator.digest=sha256:" + "a" * 64,
        "image.trainer.tag=dev",
        "mlflow.allowedHosts={mlflow.example.com}",
        "mlflow.corsAllowedOrigins={https://mlflow.example.com}",
        "mlflow.service.type=NodePort",
        "mlflow.service.nodePort=30500",
        "mlflow.persistence.storageClass=fast",
        "coordinator.persistence.existingClaim=mine",
        "operator.podLabels.team=ml",
        "operator.podAnnotations.note=x",
        "operator.nodeSelector.zone=a",
        "operator.priorityClassName=high",
        "operator.extraEnv[0].name=HTTPS_PROXY",
        "operator.extraEnv[0].value=http://proxy:3128",
    ],
}


@pytest.fixture(scope="session")
def helm() -> str:
    """The pinned Helm, compiled when it is not there yet."""
    tools.ensure(["helm"])
    return str(tools.path("helm"))


def run(helm: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm, *arguments], capture_output=True, text=True, timeout=60, check=False)


def template(helm: str, *values: str, release: str = "trainyard") -> list[Object]:
    sets = [part for value in values for part in ("--set", value)]
    done = run(helm, "template", release, str(CHART), "--namespace", NAMESPACE, *sets)
    assert done.returncode == 0, done.stderr
    return [body for body in yaml.load_all(done.stdout, Loader=LOADER) if body]


def refusal(helm: str, *values: str) -> str:
    done = run(helm, "template", "t", str(CHART), *[part for value in values for part in ("--set", value)])
    assert done.returncode != 0, "this should have been refused"
    return done.stderr


def of(objects: list[Object], kind: str) -> dict[str, Object]:
    return {body["metadata"]["name"]: body for body in objects if body["kind"] == kind}


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for name, body in of(objects, "Deployment").items():
        yield name, body["spec"]["template"]["spec"]


def environment(objects: list[Object], deployment: str) -> dict[str, str]:
    container = of(objects, "Deployment")[deployment]["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


@pytest.fixture(params=COMBINATIONS.values(), ids=COMBINATIONS.keys())
def rendered(helm: str, request: pytest.FixtureRequest) -> list[Object]:
    """The chart rendered with each of the combinations of values."""
    return template(helm, *request.param)


def test_lint_is_clean(helm: str) -> None:
    done = run(helm, "lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_pod_fits_the_restricted_profile(rendered: list[Object]) -> None:
    for name, pod in pods(rendered):
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] == 10001, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        assert all("hostPath" not in volume for volume in pod.get("volumes", [])), name
        for container in pod["containers"]:
            inner = container["securityContext"]
            assert inner["allowPrivilegeEscalation"] is False, name
            assert inner["readOnlyRootFilesystem"] is True, name
            assert inner["capabilities"] == {"drop": ["ALL"]}, name
            assert {"cpu", "memory"} <= set(container["resources"]["limits"]), name
            assert {"readinessProbe", "livenessProbe"} <= set(container), name


def test_no_role_reads_secrets_or_logs_or_grants_everything(rendered: list[Object]) -> None:
    roles = [body for body in rendered if body["kind"] in {"Role", "ClusterRole"}]
    assert roles
    for role in roles:
        for rule in role["rules"]:
            assert not {"secrets", "pods/log", "pods/exec", "*"} & set(rule["resources"]), role["metadata"][
                "name"
            ]
            assert not {"*", "impersonate", "escalate", "bind"} & set(rule["verbs"]), role["metadata"]["name"]


def test_the_operator_may_serve_and_no_more(helm: str) -> None:
    roles = of(template(helm, "watchNamespaces={team-a}"), "Role")
    rights = {
        (resource, verb)
        for rule in roles["trainyard-operator"]["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert {verb for resource, verb in rights if resource == "modelservers"} == {
        "get",
        "list",
        "watch",
        "create",
    }
    assert {verb for resource, verb in rights if resource == "modelservers/status"} == {"patch"}
    assert {verb for resource, verb in rights if resource == "services"} == {
        "get",
        "create",
        "patch",
        "delete",
    }
    assert {verb for resource, verb in rights if resource == "networkpolicies"} == {"get", "create", "delete"}
    assert ("deployments", "delete") not in rights
    assert ("deployments", "update") not in rights


def test_every_binding_binds_what_is_there(rendered: list[Object]) -> None:
    there = {(body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"]) for body in rendered}
    for body in rendered:
        if body["kind"] not in {"RoleBinding", "ClusterRoleBinding"}:
            continue
        role = body["roleRef"]
        assert (role["kind"], body["metadata"].get("namespace"), role["name"]) in there
        for subject in body["subjects"]:
            assert ("ServiceAccount", subject["namespace"], subject["name"]) in there


def test_services_select_pods_that_have_the_port(rendered: list[Object]) -> None:
    deployments = of(rendered, "Deployment")
    for name, service in of(rendered, "Service").items():
        pod = deployments[name]["spec"]["template"]
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        named = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= named


def test_everything_namespaced_says_where(rendered: list[Object]) -> None:
    cluster = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    for body in rendered:
        assert ("namespace" in body["metadata"]) is (body["kind"] not in cluster), body["metadata"]["name"]


def test_one_writer_each(rendered: list[Object]) -> None:
    for name, deployment in of(rendered, "Deployment").items():
        assert deployment["spec"]["replicas"] == 1, name
        if name != "trainyard-operator":
            assert deployment["spec"]["strategy"] == {"type": "Recreate"}, name


def test_operators_share_a_lease_that_only_they_may_hold(helm: str) -> None:
    objects = template(helm, "operator.replicas=2")
    operator = of(objects, "Deployment")["trainyard-operator"]["spec"]
    assert operator["replicas"] == 2
    assert operator["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    lease = environment(objects, "trainyard-operator")["TRAINYARD_LEASE"]
    rules = of(objects, "Role")["trainyard-operator-lease"]["rules"]
    assert [(rule["verbs"], rule.get("resourceNames")) for rule in rules] == [
        (["create"], None),
        (["get", "update"], [lease]),
    ]


def test_a_namespaced_install_has_no_cluster_wide_right(helm: str) -> None:
    objects = template(helm, *COMBINATIONS["namespaced"])
    assert not of(objects, "ClusterRole")
    assert not of(objects, "ClusterRoleBinding")
    for part in ("operator", "coordinator"):
        where = {
            body["metadata"]["namespace"]
            for body in objects
            if body["kind"] == "RoleBinding" and body["metadata"]["name"] == f"trainyard-{part}"
        }
        assert where == {"team-a", "team-b"}
        assert environment(objects, f"trainyard-{part}")["TRAINYARD_WATCH_NAMESPACES"] == "team-a,team-b"
    policy = of(objects, "NetworkPolicy")["trainyard-coordinator"]["spec"]["ingress"][0]["from"][0]
    assert policy["namespaceSelector"]["matchExpressions"][0]["values"] == ["team-a", "team-b"]


def test_the_operator_is_told_where_everything_is(helm: str) -> None:
    objects = template(helm, "crds.enabled=false")
    told = environment(objects, "trainyard-operator")
    assert told["TRAINYARD_TRACKING_URI"] == f"http://trainyard-mlflow.{NAMESPACE}.svc:5000"
    assert told["TRAINYARD_COORDINATOR_URL"] == f"https://trainyard-coordinator.{NAMESPACE}.svc:8443"
    published = environment(objects, "trainyard-coordinator")["TRAINYARD_COORDINATOR_CA"]
    assert told["TRAINYARD_COORDINATOR_CA"] == published == f"{NAMESPACE}/trainyard-coordinator-ca"
    assert "trainyard-coordinator-ca" in of(objects, "ConfigMap")
    host = told["TRAINYARD_COORDINATOR_URL"].removeprefix("https://").partition(":")[0]
    assert host in environment(objects, "trainyard-coordinator")["TRAINYARD_COORDINATOR_SANS"].split(",")


def test_mlflow_answers_to_every_name_it_is_called_by(helm: str) -> None:
    objects = template(helm, "crds.enabled=false", "mlflow.allowedHosts={mlflow.example.com}")
    allowed = environment(objects, "trainyard-mlflow")["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    service = f"trainyard-mlflow.{NAMESPACE}"
    for host in ("trainyard-mlflow", service, f"{service}.svc", f"{service}.svc.cluster.local"):
        assert {host, f"{host}:*"} <= set(allowed)
    assert {"localhost:*", "127.0.0.1:*", "mlflow.example.com", "mlflow.example.com:*"} <= set(allowed)
    assert "*" not in allowed


def test_mlflow_elsewhere_leaves_none_here(helm: str) -> None:
    objects = template(helm, "crds.enabled=false", *COMBINATIONS["elsewhere"])
    assert not [body for body in objects if body["metadata"]["name"].endswith("mlflow")]
    told = environment(objects, "trainyard-operator")
    assert told["TRAINYARD_TRACKING_URI"] == "https://mlflow.example.com"


def test_two_mlflows_or_none_are_refused_with_the_remedy(helm: str) -> None:
    both = refusal(helm, "mlflow.trackingUri=http://elsewhere:5000")
    assert 'mlflow.trackingUri is "http://elsewhere:5000"' in both
    assert "set mlflow.enabled=false" in both
    assert "set mlflow.trackingUri to the address of yours" in refusal(helm, "mlflow.enabled=false")


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("mlflow.enable=true", "enable"),
        ("operater.logLevel=INFO", "operater"),
        ("image.operator.sha=x", "sha"),
        ("operator.logLevel=loud", "operator.logLevel"),
        ("mlflow.trackingUri=elsewhere", "mlflow.trackingUri"),
        ("image.trainer.digest=sha256:abc", "image.trainer.digest"),
        ("image.trainer.pullPolicy=Sometimes", "image.trainer.pullPolicy"),
        ("watchNamespaces={Team_A}", "watchNamespaces"),
        ("coordinator.persistence.size=big", "coordinator.persistence.size"),
    ],
)
def test_values_that_mean_nothing_are_refused_by_name(helm: str, value: str, named: str) -> None:
    text = refusal(helm, value)
    assert "values don't meet the specifications of the schema" in text
    # Newer validators write a path as /a/b/0, older ones as a.b.0.
    assert re.search(re.escape(named).replace(r"\.", "[./]"), text), text


def test_every_value_is_in_the_schema_and_explained_or_plain() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def walk(node: Object, value: Object, path: str) -> None:
        while "$ref" in node:
            node = schema["definitions"][node["$ref"].rpartition("/")[2]]
        assert node["type"] == "object", path
        if node.get("additionalProperties") is not False:
            return
        assert set(value) <= set(node["properties"]), path
        missing = set(node["properties"]) - set(value) - {"global", "claims"}
        assert not missing, f"{path}: in the schema but not in values.yaml: {missing}"
        for key, inner in value.items():
            if isinstance(inner, dict):
                walk(node["properties"][key], inner, f"{path}.{key}")

    walk(schema, values, "values")


def test_images_by_tag_by_digest_and_by_default(helm: str) -> None:
    digest = "sha256:" + "b" * 64
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    objects = template(
        helm, "crds.enabled=false", f"image.operator.digest={digest}", "image.operator.repository=reg:5000/op"
    )
    images = {name: pod["containers"][0]["image"] for name, pod in pods(objects)}
    assert images["trainyard-operator"] == images["trainyard-coordinator"] == f"reg:5000/op@{digest}"
    assert images["trainyard-mlflow"] == f"trainyard/trainer:{version}"
    both = template(helm, "crds.enabled=false", "image.trainer.tag=dev", f"image.trainer.digest={digest}")
    assert (
        environment(both, "trainyard-operator")["TRAINYARD_TRAINER_IMAGE"]
        == f"trainyard/trainer:dev@{digest}"
    )


def test_claims_are_kept_and_can_be_given(helm: str) -> None:
    claims = of(template(helm, "crds.enabled=false"), "PersistentVolumeClaim")
    assert set(claims) == {"trainyard-coordinator", "trainyard-mlflow"}
    for claim in claims.values():
        assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    full = template(helm, "crds.enabled=false", *COMBINATIONS["full"])
    assert set(of(full, "PersistentVolumeClaim")) == {"trainyard-mlflow"}
    volumes = dict(pods(full))["trainyard-coordinator"]["volumes"]
    assert {"name": "storage", "persistentVolumeClaim": {"claimName": "mine"}} in volumes
    bare = template(helm, *COMBINATIONS["bare"])
    assert not of(bare, "PersistentVolumeClaim")
    assert not of(bare, "NetworkPolicy")


def test_crds_are_the_generated_ones_and_kept_unless_told_otherwise(helm: str) -> None:
    for values, expected in (([], {"helm.sh/resource-policy": "keep"}), (["crds.keep=false"], None)):
        found = of(template(helm, *values), "CustomResourceDefinition")
        generated = [yaml.load(path.read_text(), Loader=LOADER) for path in (ROOT / "crds").glob("*.yaml")]
        assert len(found) == len(generated) == 3
        for body in generated:
            mine = found[body["metadata"]["name"]]
            assert mine["metadata"].pop("annotations", None) == expected
            assert mine == body
    assert not of(template(helm, "crds.enabled=false"), "CustomResourceDefinition")


def test_the_charts_crds_are_copies_of_the_generated_ones() -> None:
    ours = {path.name: path.read_text() for path in (CHART / "files" / "crds").glob("*.yaml")}
    generated = {path.name: path.read_text() for path in (ROOT / "crds").glob("*.yaml")}
    assert ours == generated, "run `make crds`: a chart cannot read outside its folder, so it holds copies"


def test_names_follow_the_release(helm: str) -> None:
    assert "trainyard-operator" in of(template(helm, "crds.enabled=false"), "Deployment")
    other = template(helm, "crds.enabled=false", release="ml")
    assert {"ml-trainyard-operator", "ml-trainyard-coordinator", "ml-trainyard-mlflow"} == set(
        of(other, "Deployment")
    )
    told = environment(other, "ml-trainyard-operator")
    assert told["TRAINYARD_TRACKING_URI"].startswith("http://ml-trainyard-mlflow.")


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_notes_say_how_to_go_on(helm: str, tmp_path: Path, combination: str) -> None:
    """`helm template` renders no notes, so a copy of the chart holds them inside an object."""
    copy = tmp_path / "trainyard"
    shutil.copytree(CHART, copy)
    notes = copy / "templates" / "NOTES.txt"
    wrapped = '{{ define "notes" }}' + notes.read_text() + '{{ end }}notes: {{ include "notes" . | quote }}'
    (copy / "templates" / "notes.yaml").write_text(wrapped)
    sets = [part for value in COMBINATIONS[combination] for part in ("--set", value)]
    done = run(helm, "template", "t", str(copy), "-n", NAMESPACE, "-s", "templates/notes.yaml", *sets)
    assert done.returncode == 0, done.stderr
    text = yaml.safe_load(done.stdout)["notes"]
    where = "team-a" if combination == "namespaced" else "default"
    assert f"kubectl -n {where} apply -f examples/breast-cancer-tabnet.yaml" in text
    here = f"kubectl -n {NAMESPACE} port-forward service/t-trainyard-mlflow 5000" in text
    assert here is (combination != "elsewhere")
    assert ("https://mlflow.example.com" in text) is (combination == "elsewhere")
    assert ("lost with its pod" in text) is (combination == "bare")
