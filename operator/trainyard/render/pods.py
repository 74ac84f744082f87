"""The pod of an attempt, by the pod contract: what it may use, where it may write, and what it can never do.

The manifest's podTemplate is a typed whitelist; it is merged so that nothing in it replaces a name of ours
or touches a security context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.api.names import (
    CLAIM_DIR,
    ENV_IMAGE,
    ENV_KUBEFLOW,
    ENV_SPEC,
    ENV_WORKDIR,
    KUBEFLOW_STATUS,
    SPEC_DIR,
    SPEC_FILE,
    TERMINATION_LOG,
    TOKEN_AUDIENCE,
    TOKEN_FILE,
    TRAINER_CONTAINER,
    WORK_DIR,
)
from trainyard.core.policy import DEFAULT_MEMORY
from trainyard.core.reading import mapping, mappings, text, whole
from trainyard.render.configmap import coordinator
from trainyard.render.group import addresses, size
from trainyard.render.inputs import Attempt, Installation
from trainyard.render.labels import attempt_labels
from trainyard.render.names import attempt_name
from trainyard.render.restricted import CPU_REQUEST, container_security, placement, pod_security

GRACE_SECONDS = 60
TOKEN_SECONDS = 3600
DEFAULT_REQUESTS = {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "1Gi"}
DEFAULT_LIMITS = {"memory": DEFAULT_MEMORY, "ephemeral-storage": "10Gi"}
SHARED_MEMORY, SHARED_MEBIBYTES = "1Gi", 512
"""Size of /dev/shm where the manifest is silent, and mebibytes for each process when more than two run in a
pod: through it they exchange gradients (NCCL takes a few hundred MiB a GPU). It is a limit and costs nothing
until used; what is used counts as the pod's memory."""
SCRATCH, WORK = "2Gi", "8Gi"
_UNREACHABLE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def pod_template(attempt: Attempt, install: Installation) -> dict[str, Any]:
    """Render the pod template of an attempt's Job."""
    compute = mapping(attempt.spec.get("compute"))
    extra = mapping(compute.get("podTemplate"))
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": pod_security(),
        "containers": [_container(attempt, install, extra)],
        "volumes": _volumes(attempt, extra),
        "tolerations": _tolerations(attempt, extra),
        **placement(extra),
    }
    if attempt.excluded_nodes:
        spec["affinity"] = _avoiding(mapping(spec.get("affinity")), attempt.excluded_nodes)
    if size(attempt) > 1:
        spec["subdomain"] = attempt_name(attempt.job, attempt.number)
    if account := text(compute.get("serviceAccountName")):
        spec["serviceAccountName"] = account
    labels = {**mapping(extra.get("labels")), **attempt_labels(attempt.job, attempt.number)}
    return {"metadata": _annotated({"labels": labels}, extra), "spec": spec}


def resources(attempt: Attempt) -> dict[str, dict[str, Any]]:
    """Requests and limits of the container, with defaults where the manifest is silent."""
    asked = mapping(mapping(attempt.spec.get("compute")).get("resources"))
    requests, limits = dict(mapping(asked.get("requests"))), dict(mapping(asked.get("limits")))
    if attempt.memory:
        limits["memory"] = attempt.memory
    for name, amount in DEFAULT_LIMITS.items():
        limits.setdefault(name, requests.get(name, amount))
    given = mapping(asked.get("limits"))
    for name, amount in DEFAULT_REQUESTS.items():
        requests.setdefault(name, given.get(name, amount))
    return {"requests": requests, "limits": limits}


def _container(attempt: Attempt, install: Installation, extra: Mapping[str, Any]) -> dict[str, Any]:
    compute = mapping(attempt.spec.get("compute"))
    custom = mapping(mapping(attempt.spec.get("model")).get("custom"))
    image = text(custom.get("image")) or text(compute.get("image")) or install.trainer_image
    container: dict[str, Any] = {
        "name": TRAINER_CONTAINER,
        "image": image,
        "imagePullPolicy": text(compute.get("imagePullPolicy")) or install.pull_policy,
        "env": _env(attempt, image, extra, _kubeflow(attempt, install) if custom.get("image") else {}),
        "resources": resources(attempt),
        "volumeMounts": _mounts(attempt, extra),
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
    }
    if custom.get("command"):
        container["command"] = custom["command"]
    if custom.get("args"):
        container["args"] = custom["args"]
    if sources := _env_from(attempt, extra):
        container["envFrom"] = sources
    return container


def _kubeflow(attempt: Attempt, install: Installation) -> dict[str, str]:
    """What callbacks written for Kubeflow Trainer look for: a program of the user's may have one."""
    endpoint = coordinator(install)
    if endpoint is None:
        return {}
    path = KUBEFLOW_STATUS.format(namespace=attempt.namespace, name=attempt.job)
    found = {"URL": endpoint["url"].rstrip("/") + path, "TOKEN": endpoint["tokenFile"]}
    if "caFile" in endpoint:
        found["CA_CERT"] = endpoint["caFile"]
    return {f"{ENV_KUBEFLOW}{key}": value for key, value in found.items()}


def _env(
    attempt: Attempt, image: str, extra: Mapping[str, Any], kubeflow: Mapping[str, str]
) -> list[dict[str, Any]]:
    group = {**(addresses(attempt) if size(attempt) > 1 else {}), **kubeflow}
    own: list[dict[str, Any]] = [
        {"name": ENV_SPEC, "value": SPEC_FILE},
        {"name": ENV_WORKDIR, "value": WORK_DIR},
        {"name": ENV_IMAGE, "value": image},  # the run says what it was trained with
        CPU_REQUEST,
        *({"name": name, "value": value} for name, value in group.items()),
    ]
    named = [(text(e.get("name")), dict(e)) for e in mappings(extra.get("env"))]
    users = [e for name, e in named if not name.startswith("TRAINYARD_") and name not in group]
    home = [] if any(e.get("name") == "HOME" for e in users) else [{"name": "HOME", "value": "/tmp"}]  # noqa: S108
    return [*own, *home, *users]


def _env_from(attempt: Attempt, extra: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Secrets that sources name come first, so that what podTemplate says about the environment wins."""
    secrets = [{"secretRef": {"name": name}} for name in _credentials(attempt)]
    return [*secrets, *(dict(e) for e in mappings(extra.get("envFrom")))]


def _sources(attempt: Attempt) -> list[Mapping[str, Any]]:
    """Every place of a manifest that names data: the source itself, files of a split, word vectors."""
    data = mapping(attempt.spec.get("data"))
    files = mapping(mapping(data.get("split")).get("files"))
    vectors = mapping(mapping(data.get("text")).get("vectors"))
    found = [
        mapping(data.get("source")),
        mapping(files.get("validation")),
        mapping(files.get("test")),
        vectors,
    ]
    return [source for source in found if source]


def _credentials(attempt: Attempt) -> list[str]:
    return list(dict.fromkeys(n for s in _sources(attempt) if (n := text(s.get("credentialsSecret")))))


def _claims(attempt: Attempt) -> list[str]:
    """Claims that `pvc://claim/path` sources name."""
    uris = [text(s.get("uri")) for s in _sources(attempt)]
    uris += [text(mapping(s.get("labels")).get("uri")) for s in _sources(attempt)]
    found = [u.removeprefix("pvc://").split("/", 1)[0] for u in uris if u.startswith("pvc://")]
    return list(dict.fromkeys(name for name in found if name))


def _volumes(attempt: Attempt, extra: Mapping[str, Any]) -> list[dict[str, Any]]:
    compute = mapping(attempt.spec.get("compute"))
    shared = {"medium": "Memory", "sizeLimit": compute.get("sharedMemory") or _shared_memory(compute)}
    token = {"path": "token", "audience": TOKEN_AUDIENCE, "expirationSeconds": TOKEN_SECONDS}
    own: list[dict[str, Any]] = [
        {"name": "trainyard-spec", "configMap": {"name": attempt_name(attempt.job, attempt.number)}},
        {"name": "trainyard-token", "projected": {"sources": [{"serviceAccountToken": token}]}},
        {"name": "trainyard-tmp", "emptyDir": {"sizeLimit": SCRATCH}},
        {"name": "trainyard-work", "emptyDir": {"sizeLimit": WORK}},
        {"name": "trainyard-shm", "emptyDir": shared},
    ]
    claims = [
        {"name": f"trainyard-claim-{i}", "persistentVolumeClaim": {"claimName": name, "readOnly": True}}
        for i, name in enumerate(_claims(attempt))
    ]
    taken = {v["name"] for v in own + claims}
    return own + claims + [dict(v) for v in mappings(extra.get("volumes")) if v.get("name") not in taken]


def _shared_memory(compute: Mapping[str, Any]) -> str:
    processes = whole(compute.get("processesPerNode"), 1)
    return SHARED_MEMORY if processes <= 2 else f"{SHARED_MEBIBYTES * processes}Mi"


def _mounts(attempt: Attempt, extra: Mapping[str, Any]) -> list[dict[str, Any]]:
    own: list[dict[str, Any]] = [
        {"name": "trainyard-spec", "mountPath": SPEC_DIR, "readOnly": True},
        {"name": "trainyard-token", "mountPath": TOKEN_FILE.rpartition("/")[0], "readOnly": True},
        {"name": "trainyard-work", "mountPath": WORK_DIR},
        {"name": "trainyard-shm", "mountPath": "/dev/shm"},  # noqa: S108 - the path is Linux's
    ]
    own += [
        {"name": f"trainyard-claim-{i}", "mountPath": f"{CLAIM_DIR}/{name}", "readOnly": True}
        for i, name in enumerate(_claims(attempt))
    ]
    users = [dict(m) for m in mappings(extra.get("volumeMounts"))]
    if not any(m.get("mountPath") == "/tmp" for m in users):  # noqa: S108 - a mount of the manifest may replace it
        own.append({"name": "trainyard-tmp", "mountPath": "/tmp"})  # noqa: S108
    return own + users


def _tolerations(attempt: Attempt, extra: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The manifest's own, and how long a silent node is put up with (runPolicy.nodeLostSeconds)."""
    users = [dict(t) for t in mappings(extra.get("tolerations"))]
    seconds = whole(mapping(attempt.spec.get("runPolicy")).get("nodeLostSeconds"), 300)
    keys = {t.get("key") for t in users}
    lost = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}
        for key in _UNREACHABLE
        if key not in keys and None not in keys
    ]
    return users + lost


def _avoiding(affinity: Mapping[str, Any], nodes: tuple[str, ...]) -> dict[str, Any]:
    """Add that the pod had better not run on these nodes: it would wait for ever if it must not."""
    fields = [{"key": "metadata.name", "operator": "NotIn", "values": [node]} for node in nodes]
    node = dict(mapping(affinity.get("nodeAffinity")))
    terms = mappings(node.get("preferredDuringSchedulingIgnoredDuringExecution"))
    wish = {"weight": 100, "preference": {"matchFields": fields}}
    node["preferredDuringSchedulingIgnoredDuringExecution"] = [*terms, wish]
    return {**affinity, "nodeAffinity": node}


def _annotated(meta: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    annotations = mapping(extra.get("annotations"))
    return {**meta, "annotations": dict(annotations)} if annotations else meta
