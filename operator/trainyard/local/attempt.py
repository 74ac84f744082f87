"""A manifest as the one attempt that this machine makes at it."""

from __future__ import annotations

from trainyard.api.trainingjob import TrainingJob
from trainyard.api.wire import FORMAT_VERSION, AttemptSpec, TrackingEndpoint


def local_attempt(manifest: TrainingJob, uri: str, uid: str) -> AttemptSpec:
    """What the operator would hand to a pod.

    Args:
        manifest: What to train.
        uri: The MLflow store to log to.
        uid: Names the run; an earlier one's to go on with it.
    """
    name = manifest.metadata.name
    return AttemptSpec(
        format_version=FORMAT_VERSION,
        kind="TrainingJob",
        namespace=manifest.metadata.namespace or "local",
        name=name,
        uid=uid,
        attempt=1,
        spec=manifest.spec,
        tracking=TrackingEndpoint(uri=uri, experiment=manifest.spec.tracking.experiment or name),
    )
