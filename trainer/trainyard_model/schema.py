"""The columns a model takes and what it answers: the part of a package that people and servers read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["numeric", "categorical", "text", "image"]
Task = Literal["Classification", "Regression"]
Label = str | int | float | bool

NUMERIC: Role = "numeric"
CATEGORICAL: Role = "categorical"
TEXT: Role = "text"
IMAGE: Role = "image"
PREDICTION = "prediction"


@dataclass(frozen=True, slots=True)
class Column:
    """One input column. `integers` marks categories that are numbers: 3, 3.0 and "3" are the same then."""

    name: str
    role: Role
    integers: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """Inputs in the order of the network (numeric first), the targets, and the classes in order.

    The inputs are the columns of a table, or one column of texts, or one of images. Only a regression has
    several targets. Of two classes the second is the positive one.
    """

    task: Task
    targets: tuple[str, ...]
    columns: tuple[Column, ...]
    classes: tuple[Label, ...] = ()

    @property
    def numeric(self) -> tuple[Column, ...]:
        """Columns that enter as numbers."""
        return tuple(c for c in self.columns if c.role == NUMERIC)

    @property
    def categorical(self) -> tuple[Column, ...]:
        """Columns that enter as codes into the embedding table."""
        return tuple(c for c in self.columns if c.role == CATEGORICAL)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs in the order of explanations."""
        return tuple(c.name for c in sorted(self.columns, key=lambda c: c.role != NUMERIC))

    @property
    def width(self) -> int:
        """Numbers that the network gives for a row: classes, or targets."""
        return len(self.classes) or len(self.targets)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output columns."""
        if len(self.targets) > 1:
            return tuple(f"{PREDICTION}_{target}" for target in self.targets)
        if self.task == "Regression":
            return (PREDICTION,)
        return (PREDICTION, *(f"probability_{_label_text(label)}" for label in self.classes))

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives an equal object back."""
        columns = [
            {"name": c.name, "role": c.role, **({"integers": True} if c.integers else {})}
            for c in self.columns
        ]
        return {
            "task": self.task,
            "targets": list(self.targets),
            "columns": columns,
            "classes": list(self.classes),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Schema:
        """The inverse of `to_json`."""
        columns = tuple(Column(c["name"], c["role"], c.get("integers", False)) for c in value["columns"])
        return cls(value["task"], tuple(value["targets"]), columns, tuple(value["classes"]))


def _label_text(label: Label) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)
