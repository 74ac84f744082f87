"""The files of a package in their folder: the manifest, the weights, and what the manifest names besides."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from .errors import PackageError

MANIFEST, WEIGHTS = "package.json", "model.safetensors"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def sha256(content: bytes) -> str:
    """As hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """What `package.json` says.

    Raises:
        PackageError: It is absent or no JSON object.
    """
    content, path = _read(folder, MANIFEST), folder / MANIFEST
    try:
        value = json.loads(content)
    except ValueError as error:
        raise PackageError(f"{path} is not JSON: {error}; fetch it again") from error
    if not isinstance(value, dict) or not isinstance(value.get("files", {}), dict):
        raise PackageError(f"{path} cannot be understood (it has another form); fetch it again")
    return value


def file_names(manifest: dict[str, Any]) -> tuple[str, ...]:
    """The files beside the manifest, the weights first.

    Raises:
        PackageError: One would lie outside the folder.
    """
    files = manifest.get("files", {})
    for name in files:
        if not _PLAIN_NAME.fullmatch(name) or name in (MANIFEST, WEIGHTS):
            raise PackageError(f"{MANIFEST} names a file {name!r:.80} that no package has; fetch it again")
    return (WEIGHTS, *files)


def read_files(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest, and the content of all other files by name.

    Raises:
        PackageError: A file is absent, or the manifest cannot be read.
    """
    manifest = read_manifest(folder)
    return manifest, {name: _read(folder, name) for name in file_names(manifest)}


def package_digest(folder: Path) -> str:
    """SHA-256 over names, sizes and bytes of the package's files: what a server is pinned to.

    Raises:
        PackageError: As `read_files`.
    """
    weights, *others = file_names(read_manifest(folder))
    total = hashlib.sha256()
    for name in (weights, MANIFEST, *others):
        content = _read(folder, name)
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise PackageError(
            f"{folder} is no model package: {error.strerror}: {error.filename}; "
            f"give the folder that holds {MANIFEST} and the files it names"
        ) from error
