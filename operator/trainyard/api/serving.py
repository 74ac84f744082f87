"""How a model is served: shared by ModelServer and by promotion.serving, which creates one."""

from __future__ import annotations

from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le
from pydantic import Field

from trainyard.api.affinity import LabelSelector
from trainyard.api.base import ApiModel
from trainyard.api.compute import PullPolicy, ResourceRequirements
from trainyard.api.pods import PodTemplate
from trainyard.api.rules import Rule, at_most_one, exactly_one
from trainyard.api.types import Annotations, Fraction, Image, LocalName, Path, Port

Replicas = Annotated[int, Ge(0), Le(1000)]


class Nothing(ApiModel):
    """No options; write {}."""


class Autoscaling(ApiModel):
    """Let a HorizontalPodAutoscaler choose the replicas."""

    min_replicas: Annotated[int, Ge(1), Le(1000)] = 1
    """Fewest pods."""
    max_replicas: Annotated[int, Ge(1), Le(1000)]
    """Most pods."""
    target_cpu_utilization: Annotated[int, Ge(1), Le(100)] = 70
    """Percent of the CPU request to aim at."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.minReplicas <= self.maxReplicas",
            "minReplicas must not be above maxReplicas",
            lambda a: a.min_replicas <= a.max_replicas,
        ),
    )


class Auth(ApiModel):
    """Who may ask; exactly one is set."""

    token_secret: LocalName | None = None
    """Secret of this namespace; the value of each key is a bearer token. Changes count without a restart."""
    anonymous: Nothing | None = None
    """Anyone who reaches the Service may ask."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("tokenSecret", "anonymous"),)


class Rollout(ApiModel):
    """When a new version counts as good and when it is taken back."""

    deadline_seconds: Annotated[int, Ge(10), Le(86_400)] = 600
    """Longest time from the new Deployment to a verified version; then the old one comes back."""
    max_error_rate: Fraction = 0.01
    """Largest share of failed requests while the new version is verified."""
    verify_seconds: Annotated[int, Ge(0), Le(86_400)] = 30
    """How long the new version is watched before the alias moves."""


class Limits(ApiModel):
    """What one request and one pod may take."""

    max_body_bytes: Annotated[int, Ge(1024), Le(1_073_741_824)] = 10_485_760
    """Larger requests get 413."""
    max_rows: Annotated[int, Ge(1), Le(1_000_000)] = 10_000
    """Requests with more rows get 413."""
    max_concurrency: Annotated[int, Ge(1), Le(10_000)] = 64
    """More requests at once get 429."""
    timeout_seconds: Annotated[int, Ge(1), Le(3600)] = 30
    """Slower requests get 504."""


class Batching(ApiModel):
    """Join small requests into one prediction."""

    max_rows: Annotated[int, Ge(1), Le(100_000)] = 64
    """Rows of one prediction."""
    max_delay_milliseconds: Annotated[int, Ge(0), Le(10_000)] = 2
    """Longest wait for company."""


class Explain(ApiModel):
    """The explanation endpoint."""

    enabled: bool = True
    """Serve /explain."""
    max_rows: Annotated[int, Ge(1), Le(10_000)] = 100
    """Rows of one request."""


class Drift(ApiModel):
    """Compare what is asked with what was trained on."""

    enabled: bool = True
    """Count and publish PSI."""
    min_rows: Annotated[int, Ge(10), Le(10_000_000)] = 500
    """No figure below this many rows."""


class RequestLog(ApiModel):
    """Write a sample of requests to standard output, a JSON line each."""

    sample_rate: Annotated[float, Gt(0.0), Le(1.0)]
    """Share of requests."""
    include_inputs: bool = False
    """Write the inputs too; they may be personal data."""


class Ingress(ApiModel):
    """Reach the Service from outside through an Ingress."""

    host: Annotated[str, Field(min_length=1, max_length=253)]
    """Host name."""
    path: Path = "/"
    """Path prefix."""
    class_name: LocalName | None = None
    """IngressClass; the cluster's default where silent."""
    tls_secret: LocalName | None = None
    """Secret with the certificate."""
    annotations: Annotations = Field(default_factory=dict)
    """Annotations for the Ingress controller."""


class NetworkAccess(ApiModel):
    """Who may connect, by NetworkPolicy; anyone in the cluster where silent."""

    pods: LabelSelector | None = None
    """Pods of this namespace."""
    namespaces: LabelSelector | None = None
    """All pods of these namespaces."""
    metrics_namespaces: LabelSelector | None = None
    """Namespaces that may read the metrics port."""


class Cache(ApiModel):
    """Keep packages on a volume, so that pods start while MLflow is down."""

    claim_name: LocalName
    """PersistentVolumeClaim of this namespace."""


class Serving(ApiModel):
    """How to serve a promoted model for which no ModelServer exists yet; write a ModelServer to say more."""

    replicas: Replicas | None = None
    """Pods that serve; 1 where this, autoscaling and external are silent."""
    autoscaling: Autoscaling | None = None
    """Let a HorizontalPodAutoscaler choose the replicas."""
    external: Nothing | None = None
    """Someone else (KEDA, a person) sets the Deployment's replicas; write {}."""
    resources: ResourceRequirements = ResourceRequirements()
    """What one pod asks for and may use."""
    auth: Auth
    """Who may ask."""

    rules: ClassVar[tuple[Rule, ...]] = (at_most_one("replicas", "autoscaling", "external"),)


class ServingOptions(Serving):
    """All that can be said about serving, apart from what is served."""

    rollout: Rollout = Rollout()
    """When a new version counts as good and when it is taken back."""
    image: Image | None = None
    """Image of the pods, derived from the trainer image; the installed one where silent."""
    image_pull_policy: PullPolicy | None = None
    """Always, IfNotPresent or Never; as installed where silent."""
    service_account_name: LocalName | None = None
    """ServiceAccount of the pods; it must carry the label trainyard.dev/usable: "true"."""
    pod_template: PodTemplate = PodTemplate()
    """More about the pods."""
    port: Port = 80
    """Port of the Service."""
    limits: Limits = Limits()
    """What one request and one pod may take."""
    batching: Batching | None = None
    """Join small requests into one prediction; not where silent."""
    explain: Explain = Explain()
    """The explanation endpoint."""
    drift: Drift = Drift()
    """Compare what is asked with what was trained on."""
    request_log: RequestLog | None = None
    """Write a sample of requests; none where silent."""
    ingress: Ingress | None = None
    """Reach the Service from outside; not where silent."""
    network_access: NetworkAccess | None = None
    """Who may connect; anyone in the cluster where silent."""
    cache: Cache | None = None
    """Keep packages on a volume."""
    drain_seconds: Annotated[int, Ge(0), Le(600)] = 30
    """Time to finish open requests when a pod stops."""
