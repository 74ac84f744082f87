"""The part of a pod that a manifest may shape: a whitelist, typed in full.

Nothing here can weaken the security context, mount the host, or reach another namespace. Names and meanings
are Kubernetes' own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from annotated_types import Ge, Le
from pydantic import Field

from trainyard.api.affinity import Affinity, LabelSelector
from trainyard.api.base import ApiModel
from trainyard.api.names import RESERVED_ENV, RESERVED_LABELS
from trainyard.api.rules import Rule, at_most_one, exactly_one
from trainyard.api.types import (
    Annotations,
    DNSLabel,
    LabelKey,
    Labels,
    LabelValue,
    LocalName,
    Path,
    Quantity,
    Seconds,
)

EnvName = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]


def _reserved(key: str) -> bool:
    domain = key.partition("/")[0] + "/"
    return "/" in key and any(domain == r or domain.endswith("." + r) for r in RESERVED_LABELS)


def _no_reserved_keys(field: str, attribute: str) -> Rule:
    tests = " || ".join(f"k.startsWith('{r}') || k.contains('.{r}')" for r in RESERVED_LABELS)
    return Rule(
        f"!has(self.{field}) || !self.{field}.exists(k, {tests})",
        f"{field} must not use the domains {', '.join(RESERVED_LABELS)}",
        lambda value: not any(_reserved(k) for k in getattr(value, attribute)),
        f".{field}",
    )


_RESERVED_ENV_RULE = Rule(
    " && ".join(f"!self.name.startsWith('{prefix}')" for prefix in RESERVED_ENV),
    f"name must not start with {', '.join(RESERVED_ENV)}: these variables are the operator's",
    lambda env: not env.name.startswith(RESERVED_ENV),
    ".name",
)


class KeyRef(ApiModel):
    """A key of a Secret or ConfigMap of this namespace."""

    name: LocalName
    """Name of the object."""
    key: Annotated[str, Field(min_length=1, max_length=253)]
    """Key in the object."""
    optional: bool = False
    """The pod starts even when the key is missing."""


class FieldRef(ApiModel):
    """A field of the pod."""

    field_path: Annotated[str, Field(min_length=1, max_length=256)]
    """For example metadata.name or status.podIP."""


class EnvValueFrom(ApiModel):
    """Where a variable's value comes from; exactly one is set."""

    secret_key_ref: KeyRef | None = None
    """A key of a Secret."""
    config_map_key_ref: KeyRef | None = None
    """A key of a ConfigMap."""
    field_ref: FieldRef | None = None
    """A field of the pod."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("secretKeyRef", "configMapKeyRef", "fieldRef"),)


class EnvVar(ApiModel):
    """An environment variable."""

    name: EnvName
    """Name of the variable; TRAINYARD_ is reserved."""
    value: Annotated[str, Field(max_length=2048)] | None = None
    """Its value."""
    value_from: EnvValueFrom | None = None
    """Where its value comes from."""

    rules: ClassVar[tuple[Rule, ...]] = (_RESERVED_ENV_RULE, at_most_one("value", "valueFrom"))


class ObjectRef(ApiModel):
    """An object of this namespace."""

    name: LocalName
    """Name of the object."""
    optional: bool = False
    """The pod starts even when the object is missing."""


class EnvFrom(ApiModel):
    """All keys of a Secret or ConfigMap as variables."""

    prefix: Annotated[str, Field(max_length=64)] | None = None
    """Put before each name; TRAINYARD_ is reserved."""
    secret_ref: ObjectRef | None = None
    """A Secret."""
    config_map_ref: ObjectRef | None = None
    """A ConfigMap."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("secretRef", "configMapRef"),
        Rule(
            " && ".join(f"(!has(self.prefix) || !self.prefix.startsWith('{p}'))" for p in RESERVED_ENV),
            f"prefix must not start with {', '.join(RESERVED_ENV)}",
            lambda e: e.prefix is None or not e.prefix.startswith(RESERVED_ENV),
            ".prefix",
        ),
    )


class TolerationOperator(StrEnum):
    """How a toleration's value is compared."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class TaintEffect(StrEnum):
    """Effect of the taint that is tolerated."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(ApiModel):
    """A taint of nodes that the pods put up with."""

    key: LabelKey | None = None
    """Key of the taint; all where silent (with operator: Exists)."""
    operator: TolerationOperator = TolerationOperator.EQUAL
    """Exists or Equal."""
    value: LabelValue | None = None
    """Value of the taint."""
    effect: TaintEffect | None = None
    """NoSchedule, PreferNoSchedule or NoExecute; all where silent."""
    toleration_seconds: Seconds | None = None
    """How long NoExecute is tolerated; for ever where silent."""


class Unsatisfiable(StrEnum):
    """What happens when pods cannot be spread."""

    DO_NOT_SCHEDULE = "DoNotSchedule"
    SCHEDULE_ANYWAY = "ScheduleAnyway"


class TopologySpread(ApiModel):
    """How evenly pods are spread over a topology."""

    max_skew: Annotated[int, Ge(1), Le(1000)] = 1
    """Largest difference in pods between two domains."""
    topology_key: LabelKey
    """Label of nodes that names the domain."""
    when_unsatisfiable: Unsatisfiable = Unsatisfiable.DO_NOT_SCHEDULE
    """DoNotSchedule or ScheduleAnyway."""
    label_selector: LabelSelector | None = None
    """Pods that are counted; those of the same object where silent."""


class NameRef(ApiModel):
    """A Secret of this namespace."""

    name: LocalName
    """Its name."""


class KeyToPath(ApiModel):
    """Where a key is put in a volume."""

    key: Annotated[str, Field(min_length=1, max_length=253)]
    """Key in the object."""
    path: Annotated[str, Field(min_length=1, max_length=256)]
    """Relative path of the file."""


_Items = Annotated[tuple[KeyToPath, ...], Field(max_length=4)]


class ConfigMapVolume(ApiModel):
    """Files from a ConfigMap."""

    name: LocalName
    """Name of the ConfigMap."""
    items: _Items = ()
    """Keys to mount; all where silent."""
    optional: bool = False
    """The pod starts even when it is missing."""


class SecretVolume(ApiModel):
    """Files from a Secret."""

    secret_name: LocalName
    """Name of the Secret."""
    items: _Items = ()
    """Keys to mount; all where silent."""
    optional: bool = False
    """The pod starts even when it is missing."""


class Medium(StrEnum):
    """What holds an emptyDir."""

    MEMORY = "Memory"


class EmptyDirVolume(ApiModel):
    """Scratch space that goes with the pod."""

    medium: Medium | None = None
    """Memory, or the node's disk where silent."""
    size_limit: Quantity | None = None
    """Most it may hold."""


class ClaimVolume(ApiModel):
    """A PersistentVolumeClaim of this namespace."""

    claim_name: LocalName
    """Name of the claim."""
    read_only: bool = False
    """Mount it read-only."""


class Volume(ApiModel):
    """A volume; exactly one source is set. Host paths do not exist here."""

    name: DNSLabel
    """Name that volumeMounts use; `trainyard-` is reserved."""
    config_map: ConfigMapVolume | None = None
    """Files from a ConfigMap."""
    secret: SecretVolume | None = None
    """Files from a Secret."""
    empty_dir: EmptyDirVolume | None = None
    """Scratch space."""
    persistent_volume_claim: ClaimVolume | None = None
    """A claim."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("configMap", "secret", "emptyDir", "persistentVolumeClaim"),
        Rule(
            "!self.name.startsWith('trainyard-')",
            "name must not start with trainyard-: these volumes are the operator's",
            lambda v: not v.name.startswith("trainyard-"),
            ".name",
        ),
    )


_OWN_PATHS = (
    "/etc/trainyard",
    "/var/run/secrets",
    "/var/lib/trainyard",
    "/dev",
    "/proc",
    "/sys",
    "/mnt/claims",
)


class VolumeMount(ApiModel):
    """Where a volume appears in the container."""

    name: DNSLabel
    """Name of the volume."""
    mount_path: Path
    """Absolute path in the container."""
    sub_path: Path | None = None
    """Path inside the volume."""
    read_only: bool = False
    """Mount it read-only."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.mountPath.startsWith('/') && !self.mountPath.contains('..') && self.mountPath != '/'",
            "mountPath must be an absolute path below / without ..",
            lambda m: m.mount_path.startswith("/") and ".." not in m.mount_path and m.mount_path != "/",
            ".mountPath",
        ),
        Rule(
            f"![{', '.join(repr(p) for p in _OWN_PATHS)}]"
            ".exists(p, self.mountPath == p || self.mountPath.startsWith(p + '/'))",
            f"mountPath must not be in {', '.join(_OWN_PATHS)}",
            lambda m: not any(m.mount_path == p or m.mount_path.startswith(p + "/") for p in _OWN_PATHS),
            ".mountPath",
        ),
    )


class PodTemplate(ApiModel):
    """What may be said about the pods. Everything else, the security context above all, is the operator's."""

    labels: Labels = Field(default_factory=dict)
    """Labels of the pods."""
    annotations: Annotations = Field(default_factory=dict)
    """Annotations of the pods."""
    node_selector: Labels = Field(default_factory=dict)
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] = ()
    """Taints that the pods put up with."""
    affinity: Affinity | None = None
    """Where pods would rather, or must, run."""
    topology_spread_constraints: Annotated[tuple[TopologySpread, ...], Field(max_length=4)] = ()
    """How evenly pods are spread."""
    priority_class_name: LocalName | None = None
    """PriorityClass of the pods."""
    runtime_class_name: LocalName | None = None
    """RuntimeClass of the pods."""
    image_pull_secrets: Annotated[tuple[NameRef, ...], Field(max_length=8)] = ()
    """Secrets to pull images with."""
    volumes: Annotated[tuple[Volume, ...], Field(max_length=16)] = ()
    """More volumes."""
    volume_mounts: Annotated[tuple[VolumeMount, ...], Field(max_length=32)] = ()
    """Where they appear in the container."""
    env: Annotated[tuple[EnvVar, ...], Field(max_length=32)] = ()
    """More environment variables."""
    env_from: Annotated[tuple[EnvFrom, ...], Field(max_length=16)] = ()
    """Environment variables from Secrets and ConfigMaps."""

    rules: ClassVar[tuple[Rule, ...]] = (
        _no_reserved_keys("labels", "labels"),
        _no_reserved_keys("annotations", "annotations"),
    )
