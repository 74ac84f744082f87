"""`trainyard crds`: write, check or print the generated CustomResourceDefinitions."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from trainyard.api.schema import crd_files


def crds(write: Path | None, check: Path | None) -> int:
    """Write the files into a folder, compare them with a folder, or print them all."""
    files = crd_files()
    if check is not None:
        return _check(files, check)
    if write is not None:
        return _write(files, write)
    sys.stdout.write("---\n".join(files.values()))
    return 0


def _write(files: dict[str, str], folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _stale(files, folder):
        (folder / name).unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"{folder / name}: {len(text.encode())} bytes")
    return 0


def _check(files: dict[str, str], folder: Path) -> int:
    differs = False
    for name, text in files.items():
        path = folder / name
        found = path.read_text(encoding="utf-8") if path.exists() else ""
        diff = list(
            difflib.unified_diff(
                found.splitlines(keepends=True), text.splitlines(keepends=True), str(path), "generated", n=2
            )
        )
        sys.stdout.writelines(diff)
        differs = differs or bool(diff)
    for name in _stale(files, folder):
        print(f"{folder / name}: no kind has this name any more")
        differs = True
    if differs:
        print(f"{folder} differs from the API models: run make crds and commit the result", file=sys.stderr)
    return int(differs)


def _stale(files: dict[str, str], folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.yaml") if path.name not in files)
