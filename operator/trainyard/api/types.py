"""Bounded building blocks of the API.

Every string, number, list and map of a CR has a bound, so that CEL's cost can be estimated and the largest
possible object still fits into etcd and, as spec.json, into a ConfigMap.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import AwareDatetime, BeforeValidator, Field, PlainSerializer, StringConstraints

QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|[KMGTPE]i?)?$"
DNS_LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN_PATTERN = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"
DNS_1035_PATTERN = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
METRIC_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*$"
LABEL_VALUE_PATTERN = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
REASON_PATTERN = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"


def _seconds(value: datetime) -> str:
    """RFC 3339 in UTC and whole seconds, as metav1.Time."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _clip(limit: int, *, keep_end: bool = False) -> Callable[[object], object]:
    def clip(value: object) -> object:
        if not isinstance(value, str) or len(value) <= limit:
            return value
        return "…" + value[-(limit - 1) :] if keep_end else value[: limit - 1] + "…"

    return clip


Time = Annotated[
    AwareDatetime, PlainSerializer(_seconds, return_type=str), Field(json_schema_extra={"maxLength": 64})
]
"""A moment; written as Kubernetes does."""

ObjectName = Annotated[str, StringConstraints(max_length=40, pattern=DNS_1035_PATTERN)]
"""Name of one of our CRs, or of a registered model without its namespace."""
LocalName = Annotated[str, StringConstraints(max_length=253, pattern=DNS_SUBDOMAIN_PATTERN)]
"""Name of an object in the same namespace: a Secret, a ConfigMap, a claim."""
DNSLabel = Annotated[str, StringConstraints(max_length=63, pattern=DNS_LABEL_PATTERN)]
LabelValue = Annotated[str, StringConstraints(max_length=63, pattern=LABEL_VALUE_PATTERN)]
LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=253)]
AnnotationValue = Annotated[str, StringConstraints(max_length=512)]
MetricName = Annotated[str, StringConstraints(max_length=128, pattern=METRIC_PATTERN)]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Label = Annotated[str, StringConstraints(max_length=128)]
"""A value of the target column, written as text."""
ShortText = Annotated[str, StringConstraints(max_length=256)]
Text = Annotated[str, StringConstraints(max_length=1024)]
LongText = Annotated[str, StringConstraints(max_length=4096)]
Line = Annotated[str, BeforeValidator(_clip(256)), StringConstraints(max_length=256)]
"""A short text of status; cut where it is too long, so that a long error never makes a status unwritable."""
Message = Annotated[str, BeforeValidator(_clip(2048)), StringConstraints(max_length=2048)]
"""A text of status for people; cut where it is too long."""
LogTail = Annotated[str, BeforeValidator(_clip(4096, keep_end=True)), StringConstraints(max_length=4096)]
"""The end of a log; its beginning is cut."""
Path = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
DataURI = Annotated[
    str,
    StringConstraints(max_length=1024, pattern=r"^([^:]+|(file|https?|s3|pvc|sample)://.+)$"),
]
"""A path, or a place that data can be read from."""
Image = Annotated[str, StringConstraints(max_length=512, pattern=r"^[^\s]+$")]
Reason = Annotated[str, StringConstraints(max_length=64, pattern=REASON_PATTERN)]
Sha256 = Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, StringConstraints(max_length=128)]
Version = Annotated[str, StringConstraints(max_length=20, pattern=r"^[1-9][0-9]*$")]
ParameterPath = Annotated[
    str,
    StringConstraints(
        max_length=96,
        pattern=r"^[a-z][A-Za-z0-9]*(\[[0-9]{1,3}\])?(\.[a-z][A-Za-z0-9]*(\[[0-9]{1,3}\])?)*$",
    ),
]
"""A field below a TrainingJob's spec, for example `model.convnet.conv[0].channels`."""

Quantity = Annotated[int, Ge(0)] | Annotated[str, StringConstraints(max_length=32, pattern=QUANTITY_PATTERN)]
"""A Kubernetes quantity: 1, 500m, 8Gi."""
Port = Annotated[int, Ge(1), Le(65535)]
Seed = Annotated[int, Ge(0), Le(4294967295)]
Fraction = Annotated[float, Ge(0.0), Le(1.0)]
Rate = Annotated[float, Ge(0.0), Le(0.95)]
"""A dropout probability."""
Width = Annotated[int, Ge(1), Le(8192)]
"""Units of a layer."""
Seconds = Annotated[int, Ge(0), Le(31_536_000)]
"""A duration; at most a year."""
Count = Annotated[int, Ge(0), Le(2_147_483_647)]
Big = Annotated[int, Ge(0), Le(9_007_199_254_740_991)]
"""A count of rows or bytes; exact in JSON."""

Metrics = Annotated[dict[MetricName, float], Field(max_length=128)]
"""Values by name; names carry the split: val_roc_auc, test_rmse."""
FewLabels = Annotated[dict[LabelKey, LabelValue], Field(max_length=8)]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=32)]
Annotations = Annotated[dict[LabelKey, AnnotationValue], Field(max_length=32)]
Resources = Annotated[dict[LabelKey, Quantity], Field(max_length=16)]
