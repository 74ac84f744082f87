"""Model families by name: a folder each beside this file, and those that other distributions register.

A distribution registers a `Family` as an entry point of the group `trainyard.families`; it is looked for only
when its name is asked for, and what has a folder here comes first.
"""

# mypy: disable-error-code="explicit-override"
# (typing.override needs Python 3.12, and the package may not import typing_extensions)

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points

from .base import Batch, Config, Family, ImageShape, Kind, Layer, Loss, Network, Shape, TextShape

__all__ = [
    "FAMILIES",
    "GROUP",
    "Batch",
    "Config",
    "Families",
    "Family",
    "ImageShape",
    "Kind",
    "Layer",
    "Loss",
    "Network",
    "Shape",
    "TextShape",
]

GROUP = "trainyard.families"


class Families(Mapping[str, Family]):
    """Iterates over the families that have a folder; finds registered ones too."""

    def __init__(self) -> None:
        found = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
        families = [importlib.import_module(f".{name}", __name__).FAMILY for name in found]
        self._found: dict[str, Family] = {family.name: family for family in families}

    def __getitem__(self, name: str) -> Family:
        if name not in self._found:
            for point in entry_points(group=GROUP, name=name):
                self._found[name] = point.load()
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


FAMILIES = Families()
