"""Messages between processes: the spec a pod gets, what it reports, and its last word.

The pod contract is language-neutral, so these are JSON first and Python second; readers ignore unknown keys.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from annotated_types import Ge, Le
from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.states import Cause
from trainyard.api.trainingjob import TrainingJobSpec
from trainyard.api.types import Big, Count, Digest, LongText, Metrics, Reference, Sha256

FORMAT_VERSION: Final = 1
RESULT_MAX_BYTES: Final = 4096
"""Kubernetes cuts a termination message here."""
_MESSAGE_MIN: Final = 200


class TrackingEndpoint(ApiModel):
    """Where a pod logs its run."""

    uri: Reference
    experiment: Annotated[str, Field(min_length=1, max_length=250)]


class CoordinatorEndpoint(ApiModel):
    """Where a pod reports, and how it shows who it is."""

    url: Reference
    token_file: Reference
    ca_file: Reference | None = None


class AttemptSpec(ApiModel):
    """spec.json: all that one attempt's pods need to know."""

    format_version: Literal[1]
    kind: Literal["TrainingJob"]
    namespace: str
    name: str
    uid: str
    cluster_uid: str = ""
    attempt: Annotated[int, Ge(1)]
    spec: TrainingJobSpec
    tracking: TrackingEndpoint
    coordinator: CoordinatorEndpoint | None = None


class Progress(ApiModel):
    """Body of POST /v1/progress; who knows no epochs tells a percentage alone."""

    attempt: Annotated[int, Ge(1)]
    epoch: Count | None = None
    epochs: Count | None = None
    percent: Annotated[int, Ge(0), Le(100)]
    eta_seconds: Annotated[float, Ge(0.0), Le(1e9)] | None = None
    metrics: Metrics = Field(default_factory=dict)
    experiment_id: Annotated[str, Field(max_length=64)] | None = None
    run_id: Annotated[str, Field(max_length=64)] | None = None


class ProgressReply(ApiModel):
    """Answer to it."""

    stop: bool = False
    next_after_seconds: Annotated[float, Ge(0.0), Le(3600.0)] = 2.0
    image_id: Reference | None = None
    """What the pod runs, by digest: no pod can see this of itself."""


class ResultData(ApiModel):
    """Which rows a run used."""

    data_digest: Digest | None = None
    holdout_digest: Digest | None = None
    rows: Big | None = None


class Result(ApiModel):
    """A pod's last word, in its termination message and in the run's tag trainyard.result."""

    format_version: Literal[1] = FORMAT_VERSION
    exit_code: Annotated[int, Ge(0), Le(255)] = 0
    cause: Cause | None = None
    message: LongText | None = None
    remedy: LongText | None = None
    experiment_id: Annotated[str, Field(max_length=64)] | None = None
    run_id: Annotated[str, Field(max_length=64)] | None = None
    model_uri: Reference | None = None
    model_sha256: Sha256 | None = None
    metrics: Metrics = Field(default_factory=dict)
    data: ResultData | None = None
    epochs: Count | None = None

    def to_message(self) -> str:
        """JSON of at most 4096 bytes; metrics beyond the first go first, then long texts are cut."""
        body: dict[str, Any] = {k: v for k, v in self.to_kubernetes().items() if v != {}}
        text = _encode(body)
        while len(text.encode()) > RESULT_MAX_BYTES and len(body.get("metrics", {})) > 1:
            body["metrics"].pop(next(reversed(body["metrics"])))
            text = _encode(body)
        while len(text.encode()) > RESULT_MAX_BYTES:
            key = max(("message", "remedy"), key=lambda k: len(body.get(k, "")))
            if len(body.get(key, "")) <= _MESSAGE_MIN:
                raise ValueError(f"result does not fit into {RESULT_MAX_BYTES} bytes even with its texts cut")
            body[key] = body[key][: len(body[key]) * 3 // 4] + "…"
            text = _encode(body)
        return text


def _encode(body: dict[str, Any]) -> str:
    import json

    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
