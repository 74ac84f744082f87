"""What all three kinds share: the envelope of an object, and conditions."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.names import NAME_MAX
from trainyard.api.rules import Rule
from trainyard.api.types import DNS_1035_PATTERN, Big, Message, Reason, Time

NAME_RULE = Rule(
    f"self.metadata.name.size() <= {NAME_MAX} && self.metadata.name.matches('{DNS_1035_PATTERN}')",
    f"metadata.name must be at most {NAME_MAX} lower-case letters, digits and -, starting with a letter",
    lambda obj: is_name(obj.metadata.name or obj.metadata.generate_name + "x"),
)


def is_name(name: str) -> bool:
    """Whether an object of ours may bear this name."""
    plain = name.replace("-", "a")
    return (
        0 < len(name) <= NAME_MAX
        and name.isascii()
        and plain.isalnum()
        and name == name.lower()
        and name[0].isalpha()
        and name[-1] != "-"
    )


class OwnerReference(ApiModel):
    """Who owns an object."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class ObjectMeta(ApiModel):
    """The part of Kubernetes' metadata that Trainyard reads."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    managed_fields: tuple[Any, ...] = Field(default=(), repr=False)
    self_link: str | None = None
    deletion_grace_period_seconds: int | None = None


class Resource(ApiModel):
    """An object as the API server gives it."""

    api_version: str
    kind: str
    metadata: ObjectMeta


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One aspect of the state, as metav1.Condition."""

    type: Reason
    """Which aspect; one entry for each."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Reason
    """Why, in one CamelCase word."""
    message: Message
    """Why, for people, and what to do next."""
    last_transition_time: Time
    """When status last changed."""
    observed_generation: Big | None = None
    """Generation of the spec that this was judged by."""
