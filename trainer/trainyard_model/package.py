"""The package on disk: `package.json` for everything that can be read, `model.safetensors` for the weights.

Nothing in it is ever executed or unpickled. `formatVersion` grows when a reader of the old format could
misunderstand the new one; a reader refuses what is newer than itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from .errors import PackageError
from .preprocess import Preprocessor
from .schema import Schema
from .tabnet import TabNet, TabNetConfig

FORMAT_VERSION = 1
MANIFEST, WEIGHTS = "package.json", "model.safetensors"


@dataclass(frozen=True, slots=True)
class Package:
    """A model as data. The input example has at least two rows, and `expected_output` is its answer."""

    family: str
    config: TabNetConfig
    preprocessor: Preprocessor
    weights: Mapping[str, Tensor]
    target_mean: float = 0.0
    target_scale: float = 1.0
    input_example: Mapping[str, list[Any]] = field(default_factory=dict)
    expected_output: Mapping[str, list[Any]] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def schema(self) -> Schema:
        """Inputs and outputs."""
        return self.preprocessor.schema


def build_network(package: Package) -> nn.Module:
    """The network with the package's weights, on the CPU.

    Raises:
        PackageError: The weights do not fit the network that the package describes.
    """
    network = TabNet(package.config)
    try:
        network.load_state_dict(dict(package.weights))
    except RuntimeError as error:
        raise PackageError(f"the weights do not fit the network described: {error}") from error
    return network


def signature(schema: Schema) -> dict[str, list[dict[str, Any]]]:
    """Inputs and outputs by name and type, for readers that know no roles."""
    kinds = {bool: "boolean", int: "long", float: "double", str: "string"}
    inputs = [
        {"name": c.name, "type": "double" if c.role == "numeric" else "string", "required": True}
        for c in schema.columns
    ]
    answer = kinds[type(schema.classes[0])] if schema.classes else "double"
    outputs = [
        {"name": name, "type": answer if name == "prediction" else "double"} for name in schema.outputs
    ]
    return {"inputs": inputs, "outputs": outputs}


def write_package(package: Package, folder: Path) -> None:
    """Write both files into an existing or new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().cpu().contiguous() for k, v in package.weights.items()}
    weights = save(tensors)
    manifest = {
        "formatVersion": FORMAT_VERSION,
        "family": package.family,
        "config": package.config.to_json(),
        "schema": package.schema.to_json(),
        "signature": signature(package.schema),
        "preprocessor": package.preprocessor.to_json(),
        "target": {"mean": package.target_mean, "scale": package.target_scale},
        "inputExample": dict(package.input_example),
        "expectedOutput": dict(package.expected_output),
        "info": dict(package.info),
        "weights": {"file": WEIGHTS, "sha256": hashlib.sha256(weights).hexdigest()},
    }
    (folder / WEIGHTS).write_bytes(weights)
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_package(folder: Path) -> Package:
    """Read and check both files.

    Raises:
        PackageError: A file is absent, damaged, newer than this reader, or of an unknown family.
    """
    try:
        value = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        weights = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise PackageError(f"{folder} is no model package: {error.strerror}: {error.filename}") from error
    except ValueError as error:
        raise PackageError(f"{folder / MANIFEST} is not JSON: {error}") from error
    if value.get("formatVersion") != FORMAT_VERSION:
        raise PackageError(
            f"package format {value.get('formatVersion')!r}; this version reads format {FORMAT_VERSION}"
        )
    if value["family"] != "tabnet":
        raise PackageError(f"model family {value['family']!r} is unknown to this version")
    if hashlib.sha256(weights).hexdigest() != value["weights"]["sha256"]:
        raise PackageError(f"{folder / WEIGHTS} is damaged: its SHA-256 is not the one in {MANIFEST}")
    return _from_manifest(value, weights)


def _from_manifest(value: dict[str, Any], weights: bytes) -> Package:
    try:
        tensors: dict[str, torch.Tensor] = load(weights)
    except SafetensorError as error:
        raise PackageError(f"{WEIGHTS} cannot be read: {error}") from error
    schema = Schema.from_json(value["schema"])
    return Package(
        family=value["family"],
        config=TabNetConfig.from_json(value["config"]),
        preprocessor=Preprocessor.from_json(schema, value["preprocessor"]),
        weights=tensors,
        target_mean=value["target"]["mean"],
        target_scale=value["target"]["scale"],
        input_example=value["inputExample"],
        expected_output=value["expectedOutput"],
        info=value["info"],
    )


def package_digest(folder: Path) -> str:
    """SHA-256 over names, sizes and bytes of the package's files: what a server is pinned to."""
    total = hashlib.sha256()
    for name in (WEIGHTS, MANIFEST):
        content = (folder / name).read_bytes()
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()
