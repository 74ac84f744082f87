"""Kubernetes' affinity, typed and bounded. Names and meanings are Kubernetes' own."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field

from trainyard.api.base import ApiModel
from trainyard.api.types import FewLabels, LabelKey, LabelValue

Weight = Annotated[int, Ge(1), Le(100)]
_Values = Annotated[tuple[LabelValue, ...], Field(max_length=8)]


class SelectorOperator(StrEnum):
    """How a label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class NodeOperator(StrEnum):
    """How a node's label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GT = "Gt"
    LT = "Lt"


class LabelRequirement(ApiModel):
    """A condition on one label."""

    key: LabelKey
    """The label."""
    operator: SelectorOperator
    """In, NotIn, Exists or DoesNotExist."""
    values: _Values = ()
    """Values of In and NotIn."""


class LabelSelector(ApiModel):
    """Which objects are meant, by their labels."""

    match_labels: FewLabels = Field(default_factory=dict)
    """Labels that must be equal."""
    match_expressions: Annotated[tuple[LabelRequirement, ...], Field(max_length=4)] = ()
    """Conditions that must all hold."""


class NodeRequirement(ApiModel):
    """A condition on one label of a node."""

    key: LabelKey
    """The label."""
    operator: NodeOperator
    """In, NotIn, Exists, DoesNotExist, Gt or Lt."""
    values: _Values = ()
    """Values to compare with."""


class NodeTerm(ApiModel):
    """Conditions on a node that must all hold."""

    match_expressions: Annotated[tuple[NodeRequirement, ...], Field(max_length=4)] = ()
    """Conditions on labels."""


class NodeSelector(ApiModel):
    """Terms of which one must hold."""

    node_selector_terms: Annotated[tuple[NodeTerm, ...], Field(min_length=1, max_length=4)]
    """The terms."""


class PreferredNode(ApiModel):
    """A term that should hold."""

    weight: Weight
    """How much it counts, 1 to 100."""
    preference: NodeTerm
    """The term."""


class NodeAffinity(ApiModel):
    """Which nodes."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    """Must hold."""
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredNode, ...], Field(max_length=4)
    ] = ()
    """Should hold."""


class PodTerm(ApiModel):
    """Near or far from which pods of this namespace."""

    label_selector: LabelSelector | None = None
    """The pods."""
    topology_key: LabelKey
    """Label of nodes that says what near is."""


class PreferredPod(ApiModel):
    """A term that should hold."""

    weight: Weight
    """How much it counts, 1 to 100."""
    pod_affinity_term: PodTerm
    """The term."""


class PodAffinity(ApiModel):
    """Relation to other pods."""

    required_during_scheduling_ignored_during_execution: Annotated[
        tuple[PodTerm, ...], Field(max_length=4)
    ] = ()
    """Must hold."""
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredPod, ...], Field(max_length=4)
    ] = ()
    """Should hold."""


class Affinity(ApiModel):
    """Where pods must or should run."""

    node_affinity: NodeAffinity | None = None
    """Which nodes."""
    pod_affinity: PodAffinity | None = None
    """Near which pods."""
    pod_anti_affinity: PodAffinity | None = None
    """Far from which pods."""
