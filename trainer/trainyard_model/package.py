"""The package on disk: `package.json` for everything that can be read, `model.safetensors` for the weights.

What a preprocessor keeps in files of its own, such as `tokenizer.json`, lies beside them. Nothing in it is
ever executed or unpickled. `formatVersion` grows when a reader of the old format could misunderstand the new
one; a reader refuses what is newer than itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from .errors import PackageError
from .families import FAMILIES, Config, Network
from .folder import MANIFEST, WEIGHTS, read_files, sha256
from .preprocess import KINDS, Preprocessor, TablePreprocessor, read_preprocessor
from .schema import PREDICTION, Schema

FORMAT_VERSION = 3


@dataclass(frozen=True, slots=True)
class Package:
    """A model as data.

    Attributes:
        target_means: Of each target, added to the network's outputs times `target_scales`; () for classes.
        threshold: From which probability the second of two classes is predicted; None: the likelier one.
        input_example: At least two rows, and `expected_output` is the answer to them.
    """

    family: str
    config: Config
    preprocessor: Preprocessor
    weights: Mapping[str, Tensor]
    target_means: tuple[float, ...] = ()
    target_scales: tuple[float, ...] = ()
    threshold: float | None = None
    input_example: Mapping[str, list[Any]] = field(default_factory=dict)
    expected_output: Mapping[str, list[Any]] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def schema(self) -> Schema:
        """Inputs and outputs."""
        return self.preprocessor.schema


def build_network(package: Package) -> Network:
    """The network with the package's weights, on the CPU.

    Raises:
        PackageError: The weights do not fit the network that the package describes.
    """
    network = FAMILIES[package.family].build(package.config)
    try:
        network.load_state_dict(dict(package.weights))
    except RuntimeError as error:
        said = " ".join(str(error).split())[:500]  # torch writes a line a parameter
        raise PackageError(
            f"the weights do not fit the network described: {said}; train and log the model anew"
        ) from error
    return network


def signature(schema: Schema) -> dict[str, list[dict[str, Any]]]:
    """Inputs and outputs by name and type, for readers that know no roles."""
    kinds = {bool: "boolean", int: "long", float: "double", str: "string"}
    inputs = [
        {"name": c.name, "type": "double" if c.role == "numeric" else "string", "required": True}
        for c in schema.columns
    ]
    answer = kinds[type(schema.classes[0])] if schema.classes else "double"
    outputs = [{"name": name, "type": answer if name == PREDICTION else "double"} for name in schema.outputs]
    return {"inputs": inputs, "outputs": outputs}


def write_package(package: Package, folder: Path) -> None:
    """Write the files into an existing or new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    preprocessor = package.preprocessor
    files = preprocessor.files()
    tensors = {k: v.detach().cpu().contiguous() for k, v in package.weights.items()}
    weights = save(tensors)
    manifest = {
        "formatVersion": FORMAT_VERSION,
        "family": package.family,
        "config": package.config.to_json(),
        "schema": package.schema.to_json(),
        "signature": signature(package.schema),
        "preprocessor": {"kind": preprocessor.kind, **preprocessor.to_json()},
        "target": {"means": list(package.target_means), "scales": list(package.target_scales)},
        "threshold": package.threshold,
        "inputExample": dict(package.input_example),
        "expectedOutput": dict(package.expected_output),
        "info": dict(package.info),
        "weights": {"file": WEIGHTS, "sha256": sha256(weights)},
        "files": {name: sha256(content) for name, content in files.items()},
    }
    for name, content in {WEIGHTS: weights, **files}.items():
        (folder / name).write_bytes(content)
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_package(folder: Path) -> Package:
    """Read and check all files.

    Raises:
        PackageError: A file is absent, damaged, newer than this reader, or of an unknown family; the message
            says what to do.
    """
    value, files = read_files(folder)
    try:
        _check_version(value)
        _check_names(value)
        digests = {WEIGHTS: value["weights"]["sha256"], **value["files"]}
        for name, content in files.items():
            if sha256(content) != digests[name]:
                raise PackageError(
                    f"{folder / name} is damaged: its SHA-256 is not the one in {MANIFEST}; fetch it again"
                )
        return _from_manifest(value, files)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, PackageError):
            raise
        raise PackageError(
            f"{folder / MANIFEST} cannot be understood ({type(error).__name__}: {error}); fetch it again"
        ) from error


def _check_names(value: dict[str, Any]) -> None:
    """The family and the kind of preprocessor are known, and made for each other."""
    family, kind = value["family"], value["preprocessor"]["kind"]
    if family not in FAMILIES:
        raise PackageError(
            f"model family {family!r} is unknown here; there are {', '.join(FAMILIES)}: "
            "use the version of Trainyard, or the image, that trained the model"
        )
    if kind not in KINDS:
        raise PackageError(
            f"input of the kind {kind!r} is unknown here; there are {', '.join(KINDS)}: "
            "use the version of Trainyard that trained the model"
        )
    if FAMILIES[family].takes != kind:
        raise PackageError(f"the family {family} does not take the kind {kind}; train and log the model anew")


def _check_version(value: dict[str, Any]) -> None:
    """Refuse what is newer; bring what is older up to date, in place."""
    version = value.get("formatVersion")
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise PackageError(
            f"package format {version!r}; this version reads formats 1 to {FORMAT_VERSION}: upgrade "
            "Trainyard where the package is read, or train the model with this version"
        )
    if version < 2:
        schema, target = value["schema"], value["target"]
        schema["targets"] = [schema.pop("target")]
        regression = schema["task"] == "Regression"
        value["target"] = {
            "means": [target["mean"]] if regression else [],
            "scales": [target["scale"]] if regression else [],
        }
    if version < 3:
        value["preprocessor"]["kind"] = TablePreprocessor.kind
        value["files"] = {}


def _from_manifest(value: dict[str, Any], files: Mapping[str, bytes]) -> Package:
    try:
        tensors: dict[str, torch.Tensor] = load(files[WEIGHTS])
    except SafetensorError as error:
        raise PackageError(f"{WEIGHTS} cannot be read: {error}; fetch it again") from error
    schema = Schema.from_json(value["schema"])
    return Package(
        family=value["family"],
        config=FAMILIES[value["family"]].read_config(value["config"]),
        preprocessor=read_preprocessor(schema, value["preprocessor"], files),
        weights=tensors,
        target_means=tuple(value["target"]["means"]),
        target_scales=tuple(value["target"]["scales"]),
        threshold=value.get("threshold"),
        input_example=value["inputExample"],
        expected_output=value["expectedOutput"],
        info=value["info"],
    )
