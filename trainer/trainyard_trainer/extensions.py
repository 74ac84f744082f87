"""What a derived image adds by entry points, asked for by name and with parameters.

Found before anything else is done: a name that is not installed must not cost a download.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from trainyard_trainer.errors import InvalidSpec, closest


@dataclass(frozen=True, slots=True)
class Extension:
    """One use of an entry point; `parameters` are passed to it by name."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def find(group: str, name: str, where: str) -> EntryPoint:
    """The entry point of that name.

    Raises:
        InvalidSpec: Nothing installed here registers it; `where` is the field that asks for it.
    """
    for point in entry_points(group=group, name=name):
        return point
    names = sorted({point.name for point in entry_points(group=group)})
    hint = closest(name, names) if names else "no distribution registers any"
    raise InvalidSpec(
        f"{where}: nothing installed here registers '{name}' under {group}; {hint}",
        "install it in the image that compute.image names, or correct the name",
    )


def load(group: str, extension: Extension, where: str) -> Any:
    """What the entry point names.

    Raises:
        InvalidSpec: It is not there, or cannot be imported.
    """
    try:
        return find(group, extension.name, where).load()
    except (ImportError, AttributeError) as error:
        raise InvalidSpec(
            f"{where}: '{extension.name}' cannot be imported: {error}", "correct the distribution's image"
        ) from error
