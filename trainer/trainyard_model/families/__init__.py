"""Model families: one folder each, found by being here."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from .base import Batch, Config, Family, Layer, Loss, Network, Shape

__all__ = ["FAMILIES", "Batch", "Config", "Family", "Layer", "Loss", "Network", "Shape", "discover"]


def discover(folders: Iterable[str]) -> dict[str, Family]:
    """The `FAMILY` of every package in these folders, which must be on this package's own path."""
    found = sorted(module.name for module in pkgutil.iter_modules(folders) if module.ispkg)
    families = [importlib.import_module(f".{name}", __name__).FAMILY for name in found]
    return {family.name: family for family in families}


FAMILIES: Mapping[str, Family] = MappingProxyType(discover(__path__))
