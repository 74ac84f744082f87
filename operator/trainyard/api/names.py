"""Names that several parts must spell alike: group, kinds, labels, annotations, field managers, mount paths.

They live beside the models because they are contract: changing one breaks objects that already exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GROUP: Final = "trainyard.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind is spelled in manifests, in URLs and on the command line."""

    kind: str
    plural: str
    singular: str
    short: tuple[str, ...]
    label: str
    """The label that a child carries with the name of its owner."""

    @property
    def crd(self) -> str:
        """Name of the CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"


TRAININGJOB: Final = Kind("TrainingJob", "trainingjobs", "trainingjob", ("tj",), f"{GROUP}/trainingjob")
STUDY: Final = Kind("Study", "studies", "study", (), f"{GROUP}/study")
MODELSERVER: Final = Kind("ModelServer", "modelservers", "modelserver", ("ms",), f"{GROUP}/modelserver")
KINDS: Final = {k.kind: k for k in (TRAININGJOB, STUDY, MODELSERVER)}

NAME_MAX: Final = 40
"""Longest name of a CR, so that every child's name stays within 63 characters."""

LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "trainyard"
LABEL_COMPONENT: Final = "app.kubernetes.io/component"
LABEL_ATTEMPT: Final = f"{GROUP}/attempt"
LABEL_INDEX: Final = "batch.kubernetes.io/job-completion-index"
"""Kubernetes' own: which of the pods of an Indexed Job it is."""
LABEL_SLOT: Final = f"{GROUP}/slot"
LABEL_TRIAL: Final = f"{GROUP}/trial"
LABEL_VERSION: Final = f"{GROUP}/version"
LABEL_USABLE: Final = f"{GROUP}/usable"
"""A ServiceAccount may be used by trainer pods only when it carries this label with the value `true`."""
KUEUE_GROUP: Final = "kueue.x-k8s.io"
LABEL_QUEUE: Final = f"{KUEUE_GROUP}/queue-name"

ANNOTATION_HASH: Final = f"{GROUP}/spec-hash"
ANNOTATION_ARTIFACT_URI: Final = f"{GROUP}/artifact-uri"
ANNOTATION_SHA256: Final = f"{GROUP}/sha256"
"""With the label LABEL_VERSION on a serving pod template: the release that it is pinned to."""
ANNOTATION_DEPLOYMENT: Final = f"{GROUP}/deployment"
"""On a verify Job: `<uid>/<generation>` of the Deployment that it asks."""
ANNOTATION_APPROVE: Final = f"{GROUP}/approve"
"""A person sets it on a ModelServer to `<model>/<version>`: approves exactly that version."""

MANAGER_OPERATOR: Final = "trainyard-operator"
MANAGER_COORDINATOR: Final = "trainyard-coordinator"
MANAGER_REPLICAS: Final = "trainyard-replicas"

TOKEN_AUDIENCE: Final = "trainyard-coordinator"  # noqa: S105 - an audience, not a secret
TRAINER_CONTAINER: Final = "trainer"
SPEC_DIR: Final = "/etc/trainyard"
SPEC_FILE: Final = f"{SPEC_DIR}/spec.json"
CA_FILE: Final = f"{SPEC_DIR}/ca.crt"
TOKEN_FILE: Final = "/var/run/secrets/trainyard/token"  # noqa: S105 - a path, not a secret
WORK_DIR: Final = "/var/lib/trainyard"
CLAIM_DIR: Final = "/mnt/claims"
"""A `pvc://claim/path` source is mounted read-only at `<CLAIM_DIR>/<claim>`."""
TERMINATION_LOG: Final = "/dev/termination-log"

KUBEFLOW_STATUS: Final = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/{namespace}/trainjobs/{name}/status"
"""Where the coordinator takes Kubeflow Trainer's reports of progress."""
ENV_KUBEFLOW: Final = "KUBEFLOW_TRAINER_SERVER_"
"""Prefix of URL, CA_CERT and TOKEN, by which callbacks written for Kubeflow Trainer find it."""
ENV_PREFIX: Final = "TRAINYARD_"
ENV_SPEC: Final = f"{ENV_PREFIX}SPEC"
ENV_WORKDIR: Final = f"{ENV_PREFIX}WORKDIR"
ENV_IMAGE: Final = f"{ENV_PREFIX}IMAGE"
ENV_RESULT: Final = f"{ENV_PREFIX}RESULT"

RESERVED_ENV: Final = (ENV_PREFIX,)
"""Prefixes of environment variables that a manifest may not set."""
RESERVED_LABELS: Final = (f"{GROUP}/", "kubernetes.io/", "k8s.io/")
"""Label and annotation domains that a manifest may not set on pods, sub-domains included."""
