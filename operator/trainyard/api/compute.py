"""What the pods may use, and how the run behaves over time."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Gt, Le
from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.pods import PodTemplate
from trainyard.api.types import DNSLabel, Image, LocalName, Quantity, Resources, Seconds


class PullPolicy(StrEnum):
    """When the node pulls the image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class ResourceRequirements(ApiModel):
    """What one pod asks for and may use."""

    requests: Resources = Field(default_factory=dict)
    """What the scheduler sets aside; equal to limits where silent."""
    limits: Resources = Field(default_factory=dict)
    """The most a pod may use: cpu, memory, nvidia.com/gpu, any extended resource."""


class Compute(ApiModel):
    """Pods of one attempt."""

    nodes: Annotated[int, Ge(1), Le(1024)] = 1
    """Pods that train together."""
    processes_per_node: Annotated[int, Ge(1), Le(64)] = 1
    """Processes in each pod; with GPUs, one for each."""
    resources: ResourceRequirements = ResourceRequirements()
    """What one pod asks for and may use."""
    image: Image | None = None
    """Image of the pods, derived from the trainer image; the installed one where silent."""
    image_pull_policy: PullPolicy | None = None
    """Always, IfNotPresent or Never; as installed where silent."""
    shared_memory: Quantity | None = None
    """Size of /dev/shm, counted in the memory limit; the operator's choice where silent."""
    service_account_name: LocalName | None = None
    """ServiceAccount of the pods; it must carry the label trainyard.dev/usable: "true"."""
    pod_template: PodTemplate = PodTemplate()
    """More about the pods."""


class OnOOM(ApiModel):
    """What to do when a pod runs out of memory."""

    memory_factor: Annotated[float, Gt(1.0), Le(10.0)]
    """The next attempt gets this many times the memory."""
    max_memory: Quantity | None = None
    """The most it may get."""


class RunPolicy(ApiModel):
    """When a job waits, retries, gives up and goes away. May change while it runs, save queueName."""

    suspend: bool = False
    """Stop after a checkpoint; go on from there when false again."""
    backoff_limit: Annotated[int, Ge(0), Le(100)] = 3
    """Retries after failures of unknown cause. Bad input is never retried; a lost node costs nothing."""
    active_deadline_seconds: Annotated[int, Ge(1), Le(31_536_000)] | None = None
    """Most running time over all attempts; none where silent."""
    ttl_seconds_after_finished: Seconds | None = None
    """Delete the object so long after it finished; never where silent."""
    node_lost_seconds: Annotated[int, Ge(10), Le(86_400)] = 300
    """How long a pod's node may be silent before the next attempt starts elsewhere."""
    dependency_timeout_seconds: Seconds = 3600
    """How long to wait for MLflow or a data host that is down."""
    queue_name: DNSLabel | None = None
    """Kueue LocalQueue that admits the job. Immutable."""
    on_oom: OnOOM | None = None
    """Retry with more memory; where silent, running out of memory ends the job."""
